/* A camera's picture made into a frame: sizes and pixels from the input, both buffers of just their
 * size. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ek_camera.h"
#include "fuzz.h"

enum { HEAD = 8, WHITE = 255 };

static void check_white(ek_picture *picture, uint8_t *pixels, size_t pixel_bytes,
                        const ek_frame_shape *shape, uint8_t *frame, size_t frame_bytes) {
    memset(pixels, WHITE, pixel_bytes);
    (void)ek_picture_to_frame(picture, shape, frame);
    for (size_t i = 0; i < frame_bytes; i++) {
        if (frame[i] != WHITE) {
            (void)fprintf(stderr, "a white picture is not white\n");
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= HEAD) {
        return 0;
    }
    const uint32_t width = data[0] | (data[1] & 1u) << 8;
    const uint32_t height = data[2] | (data[3] & 1u) << 8;
    const ek_frame_shape shape = {data[4] + 1u, data[5] + 1u, data[6] % 3};
    const size_t pixel_bytes = (size_t)width * height * 2u;
    const size_t frame_bytes =
        (size_t)shape.width * shape.height * (shape.order == EK_GRAY ? 1u : 3u);
    uint8_t *pixels = malloc(pixel_bytes > 0 ? pixel_bytes : 1);
    uint8_t *frame = malloc(frame_bytes);
    if (pixels == NULL || frame == NULL) {
        abort();
    }
    for (size_t i = 0; i < pixel_bytes; i++) {
        pixels[i] = data[HEAD + i % (size - HEAD)];
    }
    memset(frame, 1, frame_bytes);
    ek_picture picture = {pixels, width, height};
    const int made = ek_picture_to_frame(&picture, &shape, frame);
    if (made != (width >= shape.width && height >= shape.height)) {
        abort();
    }
    if (made && data[7] == WHITE) {
        check_white(&picture, pixels, pixel_bytes, &shape, frame, frame_bytes);
    }
    free(pixels);
    free(frame);
    return 0;
}
