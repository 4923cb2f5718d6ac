/* RESIZE_BILINEAR with weights of ten bits. Rounds once, ties away from zero. */
#include "ek_nn.h"

/* One pixel from its four neighbours. */
static void ek_bilinear_pixel(const int8_t *const *corners, int32_t down, int32_t right,
                              int32_t channels, int8_t *output) {
    const int32_t up = 1024 - down;
    const int32_t left = 1024 - right;
    for (int32_t i = 0; i < channels; i++) {
        const int64_t sum =
            (int64_t)(corners[0][i] * up) * left + (int64_t)(corners[1][i] * up) * right +
            (int64_t)(corners[2][i] * down) * left + (int64_t)(corners[3][i] * down) * right;
        const int64_t half = sum > 0 ? 1 << 19 : -(1 << 19);
        output[i] = (int8_t)((sum + half) / (1 << 20));
    }
}

void ek_resize_bilinear_s8(const ek_resize_params *params, const int8_t *input, int8_t *output,
                           void *scratch) {
    (void)scratch;
    const int32_t channels = params->channels;
    const int32_t row_size = params->input_width * channels;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        const int32_t *row = params->rows;
        for (int32_t y = 0; y < params->output_height; y++, row += 3) {
            const int32_t *column = params->columns;
            for (int32_t x = 0; x < params->output_width; x++, column += 3, output += channels) {
                const int8_t *upper = input + row[0] * row_size;
                const int8_t *lower = input + row[1] * row_size;
                const int8_t *corners[4] = {
                    upper + column[0] * channels, upper + column[1] * channels,
                    lower + column[0] * channels, lower + column[1] * channels};
                ek_bilinear_pixel(corners, row[2], column[2], channels, output);
            }
        }
        input += params->input_height * row_size;
    }
}
