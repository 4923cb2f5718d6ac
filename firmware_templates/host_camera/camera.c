/* A camera that sees a moving pattern, so that everything behind a sensor runs and can be checked
 * here. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ek_camera.h"
#include "host_port.h"

#define WIDTH 320u
#define HEIGHT 240u

static uint8_t pixels[WIDTH * HEIGHT * 2u];
static uint32_t taken;

/* Stripes that move at three speeds, one in each colour. */
static uint32_t pattern(uint32_t x, uint32_t y, uint32_t time) {
    const uint32_t red = (x + 3u * time) >> 3 & 0x1Fu;
    const uint32_t green = (2u * y + 5u * time) >> 2 & 0x3Fu;
    const uint32_t blue = ((x ^ y) + 7u * time) >> 3 & 0x1Fu;
    return red << 11 | green << 5 | blue;
}

bool ek_camera_take(ek_picture *picture) {
    uint8_t *at = pixels;
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            const uint32_t pixel = pattern(x, y, taken);
            *at++ = (uint8_t)(pixel >> 8);
            *at++ = (uint8_t)(pixel & 0xFFu);
        }
    }
    taken++;
    picture->pixels = pixels;
    picture->width = WIDTH;
    picture->height = HEIGHT;
    return true;
}

void ek_camera_give_back(void) {
}

bool ek_port_pending(void) {
    return host_port_pending();
}
