/* TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT and SPLIT_V: see ek_nn.h. */
#include <string.h>

#include "ek_nn.h"

/* The two innermost dimensions. */
static int8_t *ek_strided_rows(const ek_strided_copy_params *params, const int8_t *input,
                               int8_t *output) {
    const int32_t run = params->size[5];
    const int32_t stride = params->stride[5];
    for (int32_t row = 0; row < params->size[4]; row++, output += run) {
        const int8_t *from = input + row * params->stride[4];
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
    for (int32_t i = 0; i < params->size[0]; i++) {
        for (int32_t j = 0; j < params->size[1]; j++) {
            for (int32_t k = 0; k < params->size[2]; k++) {
                for (int32_t m = 0; m < params->size[3]; m++) {
                    const int32_t place = params->start + i * params->stride[0] +
                                          j * params->stride[1] + k * params->stride[2] +
                                          m * params->stride[3];
                    output = ek_strided_rows(params, input + place, output);
                }
            }
        }
    }
}
