/* MAX_POOL_2D by ESP-NN. */
#include <esp_nn.h>

#include "ek_esp_nn.h"

void ek_max_pool_2d_s8_esp_nn(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                              void *scratch) {
    (void)scratch;
    esp_nn_max_pool_s8(input, (uint16_t)params->input_width, (uint16_t)params->input_height, output,
                       (uint16_t)params->output_width, (uint16_t)params->output_height,
                       (uint16_t)params->stride_width, (uint16_t)params->stride_height,
                       (uint16_t)params->filter_width, (uint16_t)params->filter_height,
                       (uint16_t)params->pad_left, (uint16_t)params->pad_top,
                       params->activation_min, params->activation_max, (uint16_t)params->channels);
}
