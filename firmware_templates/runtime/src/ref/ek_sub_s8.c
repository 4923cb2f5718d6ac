/* SUB of two activations; see ek_binary.h. */
#include "ek_binary.h"

void ek_sub_s8(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
               int8_t *output, void *scratch) {
    (void)scratch;
    ek_binary_each(params, input1, input2, output, ek_sub_element);
}
