/* The simulated device's camera: pictures that follow from their number, of just the bytes that it
 * says. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ek_camera.h"
#include "ek_config.h"
#include "model.h"
#include "sim_port.h"

#define WIDTH (2u * EK_FRAME_WIDTH + 3u)
#define HEIGHT (2u * EK_FRAME_HEIGHT + 1u)

static struct {
    int fault;
    uint32_t taken;
    uint8_t *pixels; /* of the picture that is not given back yet */
} camera;

void sim_camera(int fault) {
    camera.fault = fault;
}

bool ek_camera_take(ek_picture *picture) {
    if (camera.pixels != NULL) {
        abort(); /* the last one was never given back */
    }
    if (camera.fault == SIM_CAMERA_SILENT) {
        return false;
    }
    picture->width = camera.fault == SIM_CAMERA_SMALL ? EK_FRAME_WIDTH - 1u : WIDTH;
    picture->height = HEIGHT;
    const size_t size = (size_t)picture->width * picture->height * 2u;
    camera.pixels = malloc(size);
    if (camera.pixels == NULL) {
        abort();
    }
    for (size_t i = 0; i < size; i++) {
        camera.pixels[i] = (uint8_t)(i * 37u + i / 251u + camera.taken * 11u);
    }
    camera.taken++;
    picture->pixels = camera.pixels;
    return true;
}

void ek_camera_give_back(void) {
    free(camera.pixels);
    camera.pixels = NULL;
}
