/* What ek_add_s8 and ek_add_constant_s8 share. */
#ifndef EK_ADD_H
#define EK_ADD_H

#include "ek_nn.h"

/* One operand at the common scale, twice the larger one's, with 20 more bits. The larger one's real
 * multiplier is 1/2, the only one with a shift of 0. */
static inline int32_t ek_add_operand(int32_t difference, int32_t multiplier, int32_t shift) {
    if (shift == 0) {
        return difference * (1 << 19);
    }
    return ek_requantize_down(difference * (1 << 20), multiplier, -shift);
}

static inline int8_t ek_add_element(const ek_binary_params *params, int32_t value1,
                                    int32_t value2) {
    const int32_t scaled1 = ek_add_operand(value1 - params->input1_zero_point,
                                           params->input1_multiplier, params->input1_shift);
    const int32_t scaled2 = ek_add_operand(value2 - params->input2_zero_point,
                                           params->input2_multiplier, params->input2_shift);
    const int32_t sum =
        ek_requantize_twice(scaled1 + scaled2, params->output_multiplier, params->output_shift);
    return (int8_t)ek_clamp(sum + params->output_zero_point, params->activation_min,
                            params->activation_max);
}

/* One row; an operand that is repeated has a stride of 0. */
static inline void ek_add_row(const ek_binary_params *params, const int8_t *values1,
                              const int8_t *values2, int8_t *output) {
    const ek_binary_params own = *params; /* which no byte of the output can lie over */
    for (int8_t *end = output + own.size[3]; output != end; output++) {
        *output = ek_add_element(&own, *values1, *values2);
        values1 += own.input1_stride[3];
        values2 += own.input2_stride[3];
    }
}

static inline void ek_add_broadcast(const ek_binary_params *params, const int8_t *input1,
                                    const int8_t *input2, int8_t *output) {
    for (int32_t i = 0; i < params->size[0]; i++) {
        for (int32_t j = 0; j < params->size[1]; j++) {
            for (int32_t k = 0; k < params->size[2]; k++) {
                const int8_t *values1 = input1 + i * params->input1_stride[0] +
                                        j * params->input1_stride[1] + k * params->input1_stride[2];
                const int8_t *values2 = input2 + i * params->input2_stride[0] +
                                        j * params->input2_stride[1] + k * params->input2_stride[2];
                ek_add_row(params, values1, values2, output);
                output += params->size[3];
            }
        }
    }
}

#endif
