/* RESIZE_NEAREST_NEIGHBOR, pixel by pixel. */
#include <string.h>

#include "ek_nn.h"

void ek_resize_nearest_neighbor_s8(const ek_resize_params *params, const int8_t *input,
                                   int8_t *output, void *scratch) {
    (void)scratch;
    const int32_t channels = params->channels;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t y = 0; y < params->output_height; y++) {
            const int8_t *row = input + params->rows[y] * params->input_width * channels;
            for (int32_t x = 0; x < params->output_width; x++, output += channels) {
                memmove(output, row + params->columns[x] * channels, (size_t)channels);
            }
        }
        input += params->input_height * params->input_width * channels;
    }
}
