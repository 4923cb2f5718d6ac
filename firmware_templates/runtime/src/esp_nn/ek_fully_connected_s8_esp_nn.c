/* FULLY_CONNECTED by ESP-NN. Rounds twice, where the reference rounds once. */
#include <esp_nn.h>

#include "ek_esp_nn.h"

void ek_fully_connected_s8_esp_nn(const ek_fully_connected_params *params, const int8_t *input,
                                  int8_t *output, void *scratch) {
    const uint16_t depth = (uint16_t)params->input_depth;
    const uint16_t channels = (uint16_t)params->output_depth;
    if (params->channel_step != 0) {
        (void)ek_esp_nn_shifts(params->shift, channels, scratch);
        esp_nn_fully_connected_per_ch_s8(input, 0, depth, params->weights, 0, params->bias, output,
                                         channels, params->output_zero_point, scratch,
                                         params->multiplier, params->activation_min,
                                         params->activation_max);
    } else {
        esp_nn_fully_connected_s8(input, 0, depth, params->weights, 0, params->bias, output,
                                  channels, params->output_zero_point, params->shift[0],
                                  params->multiplier[0], params->activation_min,
                                  params->activation_max);
    }
}
