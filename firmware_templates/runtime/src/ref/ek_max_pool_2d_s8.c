/* MAX_POOL_2D: no rescaling; padding takes no part. The output collects the maximum pixel by pixel,
 * so all loops over channels run over neighbouring bytes. */
#include "ek_pool.h"

static void ek_max_pixel(const ek_pool_2d_params *params, const ek_pool_window *window,
                         const int8_t *first, int8_t *output) {
    const int32_t channels = params->channels;
    const int32_t row_stride = params->input_width * channels;
    const int8_t low = (int8_t)params->activation_min;
    const int8_t high = (int8_t)params->activation_max;
    for (int32_t channel = 0; channel < channels; channel++) {
        output[channel] = low;
    }
    for (int32_t y = 0; y < window->height; y++) {
        const int8_t *values = first + y * row_stride;
        for (int32_t x = 0; x < window->width; x++, values += channels) {
            for (int32_t channel = 0; channel < channels; channel++) {
                const int8_t value = values[channel];
                output[channel] = value > output[channel] ? value : output[channel];
            }
        }
    }
    for (int32_t channel = 0; channel < channels; channel++) {
        output[channel] = output[channel] < high ? output[channel] : high;
    }
}

void ek_max_pool_2d_s8(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                       void *scratch) {
    (void)scratch;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t out_y = 0; out_y < params->output_height; out_y++) {
            for (int32_t out_x = 0; out_x < params->output_width; out_x++) {
                const ek_pool_window window = ek_pool_window_at(params, out_y, out_x);
                const int32_t pixel = window.top * params->input_width + window.left;
                ek_max_pixel(params, &window, input + pixel * params->channels, output);
                output += params->channels;
            }
        }
        input += params->input_height * params->input_width * params->channels;
    }
}
