/* MUL of an activation and a constant; see ek_binary.h. */
#include "ek_binary.h"

void ek_mul_constant_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                        void *scratch) {
    (void)scratch;
    ek_binary_constant(params, input, output, ek_mul_element);
}
