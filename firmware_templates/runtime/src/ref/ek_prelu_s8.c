/* PRELU with constant slopes; see ek_binary.h. */
#include "ek_binary.h"

static int32_t ek_prelu_element(const ek_binary_params *params, int32_t value, int32_t slope) {
    const int32_t above = value - params->input1_zero_point;
    if (above >= 0) {
        return ek_requantize_twice(above, params->input1_multiplier, params->input1_shift);
    }
    return ek_requantize_twice(above * (slope - params->input2_zero_point),
                               params->input2_multiplier, params->input2_shift);
}

void ek_prelu_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                 void *scratch) {
    (void)scratch;
    ek_binary_constant(params, input, output, ek_prelu_element);
}
