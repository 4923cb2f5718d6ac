/* MUL of two activations of the same shape by ESP-NN. */
#include <esp_nn.h>

#include "ek_esp_nn.h"

void ek_mul_s8_esp_nn(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
                      int8_t *output, void *scratch) {
    (void)scratch;
    esp_nn_mul_elementwise_s8(input1, input2, -params->input1_zero_point,
                              -params->input2_zero_point, output, params->output_zero_point,
                              params->output_multiplier, params->output_shift,
                              params->activation_min, params->activation_max, params->size[3]);
}
