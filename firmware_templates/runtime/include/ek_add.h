/* What ek_add_s8 and ek_add_constant_s8 share. */
#ifndef EK_ADD_H
#define EK_ADD_H

#include "ek_nn.h"

/* Both operands are brought to twice the larger scale with 20 more bits, added, and rounded again.
 */
static inline int8_t ek_add_element(const ek_add_params *params, int32_t value1, int32_t value2) {
    const int32_t wide1 = (value1 - params->input1_zero_point) * (1 << 20);
    const int32_t wide2 = (value2 - params->input2_zero_point) * (1 << 20);
    const int32_t scaled1 = ek_rounding_shift(ek_multiply_high(wide1, params->input1_multiplier),
                                              -params->input1_shift);
    const int32_t scaled2 = ek_rounding_shift(ek_multiply_high(wide2, params->input2_multiplier),
                                              -params->input2_shift);
    const int32_t sum = ek_rounding_shift(
        ek_multiply_high(scaled1 + scaled2, params->output_multiplier), -params->output_shift);
    return (int8_t)ek_clamp(sum + params->output_zero_point, params->activation_min,
                            params->activation_max);
}

static inline void ek_add_broadcast(const ek_add_params *params, const int8_t *input1,
                                    const int8_t *input2, int8_t *output) {
    for (int32_t i = 0; i < params->size_0; i++) {
        for (int32_t j = 0; j < params->size_1; j++) {
            for (int32_t k = 0; k < params->size_2; k++) {
                const int8_t *values1 = input1 + i * params->input1_stride_0 +
                                        j * params->input1_stride_1 + k * params->input1_stride_2;
                const int8_t *values2 = input2 + i * params->input2_stride_0 +
                                        j * params->input2_stride_1 + k * params->input2_stride_2;
                for (int32_t n = 0; n < params->size_3; n++) {
                    *output++ = ek_add_element(params, *values1, *values2);
                    values1 += params->input1_stride_3;
                    values2 += params->input2_stride_3;
                }
            }
        }
    }
}

#endif
