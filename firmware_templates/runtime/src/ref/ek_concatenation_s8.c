/* CONCATENATION, run by run in the order of the output. An input may lie over the output where its
 * last run is not overwritten before it is read. */
#include <string.h>

#include "ek_nn.h"

void ek_concatenation_s8(const ek_concatenation_params *params, const int8_t *const *inputs,
                         int8_t *output, void *scratch) {
    (void)scratch;
    for (int32_t i = 0; i < params->outer; i++) {
        const int8_t *constants = params->constants;
        const int8_t *const *input = inputs;
        for (int32_t part = 0; part < params->parts; part++) {
            int32_t size = params->sizes[part];
            if (size < 0) {
                size = -size;
                memcpy(output, constants + i * size, (size_t)size);
                constants += params->outer * size;
            } else {
                memmove(output, *input + i * size, (size_t)size);
                input++;
            }
            output += size;
        }
    }
}
