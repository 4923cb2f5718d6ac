/* GATHER by constant indices. */
#include <string.h>

#include "ek_nn.h"

void ek_gather_s8(const ek_gather_params *params, const int8_t *input, int8_t *output,
                  void *scratch) {
    (void)scratch;
    const int32_t inner = params->inner;
    for (int32_t i = 0; i < params->outer; i++) {
        for (int32_t j = 0; j < params->count; j++, output += inner) {
            memmove(output, input + params->indices[j] * inner, (size_t)inner);
        }
        input += params->size * inner;
    }
}
