/* What the kernels of two operands share: how they walk over them, and what each computes. */
#ifndef EK_BINARY_H
#define EK_BINARY_H

#include "ek_nn.h"

/* One result, before the output's zero point and bounds. */
typedef int32_t (*ek_binary_element)(const ek_binary_params *params, int32_t value1,
                                     int32_t value2);

static inline int32_t ek_mul_element(const ek_binary_params *params, int32_t value1,
                                     int32_t value2) {
    const int32_t product =
        (value1 - params->input1_zero_point) * (value2 - params->input2_zero_point);
    return ek_requantize_twice(product, params->output_multiplier, params->output_shift);
}

/* The difference on the common scale, with `bits` more bits. */
static inline int32_t ek_difference(const ek_binary_params *params, int32_t value1, int32_t value2,
                                    int32_t bits) {
    const int32_t wide1 = (value1 - params->input1_zero_point) * (1 << bits);
    const int32_t wide2 = (value2 - params->input2_zero_point) * (1 << bits);
    return ek_requantize_twice(wide1, params->input1_multiplier, params->input1_shift) -
           ek_requantize_twice(wide2, params->input2_multiplier, params->input2_shift);
}

static inline int32_t ek_sub_element(const ek_binary_params *params, int32_t value1,
                                     int32_t value2) {
    return ek_requantize_twice(ek_difference(params, value1, value2, 20), params->output_multiplier,
                               params->output_shift);
}

static inline int32_t ek_squared_difference_element(const ek_binary_params *params, int32_t value1,
                                                    int32_t value2) {
    const int32_t difference = ek_difference(params, value1, value2, 7);
    return ek_requantize_twice(difference * difference, params->output_multiplier,
                               params->output_shift);
}

/* Ascending, so that the output may lie over an operand that is not repeated. */
static inline void ek_binary_each(const ek_binary_params *params, const int8_t *input1,
                                  const int8_t *input2, int8_t *output, ek_binary_element element) {
    for (int32_t i = 0; i < params->size[0]; i++) {
        for (int32_t j = 0; j < params->size[1]; j++) {
            for (int32_t k = 0; k < params->size[2]; k++) {
                const int8_t *values1 = input1 + i * params->input1_stride[0] +
                                        j * params->input1_stride[1] + k * params->input1_stride[2];
                const int8_t *values2 = input2 + i * params->input2_stride[0] +
                                        j * params->input2_stride[1] + k * params->input2_stride[2];
                for (int32_t n = 0; n < params->size[3]; n++) {
                    const int32_t result =
                        element(params, *values1, *values2) + params->output_zero_point;
                    *output++ =
                        (int8_t)ek_clamp(result, params->activation_min, params->activation_max);
                    values1 += params->input1_stride[3];
                    values2 += params->input2_stride[3];
                }
            }
        }
    }
}

/* The same with a constant as first or second operand. */
static inline void ek_binary_constant(const ek_binary_params *params, const int8_t *input,
                                      int8_t *output, ek_binary_element element) {
    if (params->constant_place == 0) {
        ek_binary_each(params, params->constant, input, output, element);
    } else {
        ek_binary_each(params, input, params->constant, output, element);
    }
}

#endif
