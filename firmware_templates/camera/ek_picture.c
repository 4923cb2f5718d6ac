#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ek_camera.h"

/* 5 and 6 bits become 8 by repeating the highest, so that white stays white. */
static uint32_t five(uint32_t bits) {
    return bits << 3 | bits >> 2;
}

static uint32_t six(uint32_t bits) {
    return bits << 2 | bits >> 4;
}

/* One pixel of the frame: the square of `side` pixels that begins at `corner`. */
static void mean(const uint8_t *corner, size_t row_bytes, uint32_t side, uint32_t rgb[3]) {
    rgb[0] = rgb[1] = rgb[2] = 0;
    for (uint32_t y = 0; y < side; y++) {
        const uint8_t *at = corner + y * row_bytes;
        for (uint32_t x = 0; x < side; x++, at += 2) {
            const uint32_t pixel = (uint32_t)at[0] << 8 | at[1];
            rgb[0] += five(pixel >> 11);
            rgb[1] += six(pixel >> 5 & 0x3Fu);
            rgb[2] += five(pixel & 0x1Fu);
        }
    }
    const uint32_t count = side * side;
    for (int i = 0; i < 3; i++) {
        rgb[i] = (rgb[i] + count / 2u) / count;
    }
}

bool ek_picture_to_frame(const ek_picture *picture, const ek_frame_shape *shape, uint8_t *frame) {
    const uint32_t across = picture->width / shape->width;
    const uint32_t down = picture->height / shape->height;
    const uint32_t side = across < down ? across : down;
    if (side == 0) {
        return false;
    }
    const size_t row_bytes = (size_t)picture->width * 2u;
    const uint32_t left = (picture->width - side * shape->width) / 2u;
    const uint32_t top = (picture->height - side * shape->height) / 2u;
    for (uint32_t y = 0; y < shape->height; y++) {
        const uint8_t *corner = picture->pixels + (top + y * side) * row_bytes + left * 2u;
        for (uint32_t x = 0; x < shape->width; x++, corner += (size_t)side * 2u) {
            uint32_t rgb[3];
            mean(corner, row_bytes, side, rgb);
            if (shape->order == EK_GRAY) {
                *frame++ =
                    (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
            } else {
                const bool red_first = shape->order == EK_RED_FIRST;
                *frame++ = (uint8_t)rgb[red_first ? 0 : 2];
                *frame++ = (uint8_t)rgb[1];
                *frame++ = (uint8_t)rgb[red_first ? 2 : 0];
            }
        }
    }
    return true;
}
