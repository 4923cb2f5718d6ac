/* Kernels that call Espressif's ESP-NN, the IDF component espressif/esp-nn. They take what the
 * portable kernels take, but for what edgekit/kernels/esp_nn/ puts differently:
 * - DEPTHWISE_CONV_2D gets the input's zero point and a bias without it where an output looks
 *   outside the image. Elsewhere the zero point is in the bias, as for the portable kernel, and
 *   passed as 0.
 * - FULLY_CONNECTED rounds twice: `multiplier` and `shift` are those of ek_requantize_twice, and
 *   `multiplier_low` is NULL.
 * - SOFTMAX computes its exponentials itself, from a struct of its own.
 * Scratch of kernels with a shift per output channel: one int32_t for each, up to a multiple of 16
 * bytes; for a CONV_2D that looks outside the image a copy of it with the padding, up to the same;
 * then what ESP-NN asks for. `batches` is 1, and sizes fit 16 bits, as ESP-NN's arguments do. */
#ifndef EK_ESP_NN_H
#define EK_ESP_NN_H

#include "ek_nn.h"

typedef struct {
    int32_t rows;
    int32_t depth;
    int32_t multiplier; /* of differences from the row's largest value, to Q5.26 */
    int32_t shift;      /* to the left, before the multiplier */
    int32_t smallest;   /* difference that counts, 0 or negative */
} ek_softmax_esp_nn_params;

void ek_add_s8_esp_nn(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
                      int8_t *output, void *scratch);
void ek_average_pool_2d_s8_esp_nn(const ek_pool_2d_params *params, const int8_t *input,
                                  int8_t *output, void *scratch);
void ek_conv_2d_s8_esp_nn(const ek_conv_2d_params *params, const int8_t *input, int8_t *output,
                          void *scratch);
void ek_depthwise_conv_2d_s8_esp_nn(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                                    int8_t *output, void *scratch);
void ek_fully_connected_s8_esp_nn(const ek_fully_connected_params *params, const int8_t *input,
                                  int8_t *output, void *scratch);
void ek_max_pool_2d_s8_esp_nn(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                              void *scratch);
void ek_mul_s8_esp_nn(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
                      int8_t *output, void *scratch);
void ek_softmax_s8_esp_nn(const ek_softmax_esp_nn_params *params, const int8_t *input,
                          int8_t *output, void *scratch);

/* ESP-NN wants shifts of 32 bits. Fills the beginning of the scratch; returns what is behind it. */
static inline void *ek_esp_nn_shifts(const int8_t *shift, int32_t channels, void *scratch) {
    int32_t *wide = scratch;
    for (int32_t i = 0; i < channels; i++) {
        wide[i] = shift[i];
    }
    return wide + (channels + 3) / 4 * 4;
}

/* ESP-NN's struct has no const, but it only reads. */
static inline int32_t *ek_esp_nn_unconst(const int32_t *values) {
    return (int32_t *)(uintptr_t)values;
}

#endif
