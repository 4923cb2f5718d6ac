/* AVERAGE_POOL_2D: no rescaling; the sum over the pixels inside the image is divided by their
 * number, rounded to the nearest integer, ties away from zero. */
#include "ek_pool.h"

static inline int8_t ek_average_result(const ek_pool_2d_params *params, int32_t sum,
                                       int32_t count) {
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    return (int8_t)ek_clamp((sum + half) / count, params->activation_min, params->activation_max);
}

static void ek_average_pixel(const ek_pool_2d_params *params, const ek_pool_window *window,
                             const int8_t *first, int8_t *output) {
    const int32_t channels = params->channels;
    const int32_t row_stride = params->input_width * channels;
    const int32_t count = window->height * window->width;
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t sum = 0;
        for (int32_t y = 0; y < window->height; y++) {
            const int8_t *values = first + y * row_stride;
            for (int32_t x = 0; x < window->width; x++) {
                sum += values[x * channels + channel];
            }
        }
        output[channel] = ek_average_result(params, sum, count);
    }
}

void ek_average_pool_2d_s8(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                           void *scratch) {
    (void)scratch;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t out_y = 0; out_y < params->output_height; out_y++) {
            for (int32_t out_x = 0; out_x < params->output_width; out_x++) {
                const ek_pool_window window = ek_pool_window_at(params, out_y, out_x);
                const int32_t pixel = window.top * params->input_width + window.left;
                ek_average_pixel(params, &window, input + pixel * params->channels, output);
                output += params->channels;
            }
        }
        input += params->input_height * params->input_width * params->channels;
    }
}
