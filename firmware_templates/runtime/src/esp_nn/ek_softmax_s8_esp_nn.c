/* SOFTMAX by ESP-NN. */
#include <esp_nn.h>

#include "ek_esp_nn.h"

void ek_softmax_s8_esp_nn(const ek_softmax_esp_nn_params *params, const int8_t *input,
                          int8_t *output, void *scratch) {
    esp_nn_set_softmax_scratch_buf(scratch);
    esp_nn_softmax_s8(input, params->rows, params->depth, params->multiplier, params->shift,
                      params->smallest, output);
}
