/* ADD of an activation and a constant. Rounds twice; see ek_add.h. */
#include "ek_add.h"

void ek_add_constant_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                        void *scratch) {
    (void)scratch;
    ek_add_broadcast(params, input, params->constant, output);
}
