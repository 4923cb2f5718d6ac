/* TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT and SPLIT_V: see ek_nn.h. */
#include <string.h>

#include "ek_nn.h"

/* The two innermost dimensions. */
static int8_t *ek_strided_rows(const ek_strided_copy_params *params, const int8_t *input,
                               int8_t *output) {
    const int32_t run = params->size_5;
    const int32_t stride = params->stride_5;
    for (int32_t row = 0; row < params->size_4; row++, output += run) {
        const int8_t *from = input + row * params->stride_4;
        if (stride == 1) {
            memmove(output, from, (size_t)run);
        } else {
            for (int32_t i = 0; i < run; i++) {
                output[i] = from[i * stride];
            }
        }
    }
    return output;
}

void ek_strided_copy_s8(const ek_strided_copy_params *params, const int8_t *input, int8_t *output,
                        void *scratch) {
    (void)scratch;
    for (int32_t i = 0; i < params->size_0; i++) {
        for (int32_t j = 0; j < params->size_1; j++) {
            for (int32_t k = 0; k < params->size_2; k++) {
                for (int32_t m = 0; m < params->size_3; m++) {
                    const int32_t place = params->start + i * params->stride_0 +
                                          j * params->stride_1 + k * params->stride_2 +
                                          m * params->stride_3;
                    output = ek_strided_rows(params, input + place, output);
                }
            }
        }
    }
}
