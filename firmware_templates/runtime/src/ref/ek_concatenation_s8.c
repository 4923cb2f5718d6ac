/* CONCATENATION, part by part. */
#include <string.h>

#include "ek_nn.h"

void ek_concatenation_s8(const ek_concatenation_params *params, const int8_t *const *inputs,
                         int8_t *output, void *scratch) {
    (void)scratch;
    const int8_t *constants = params->constants;
    for (int32_t part = 0; part < params->parts; part++) {
        const int is_constant = params->sizes[part] < 0;
        const int32_t size = is_constant ? -params->sizes[part] : params->sizes[part];
        const int8_t *from = is_constant ? constants : *inputs;
        for (int32_t i = 0; i < params->outer; i++) {
            memcpy(output + i * params->total, from + i * size, (size_t)size);
        }
        if (is_constant) {
            constants += params->outer * size;
        } else {
            inputs++;
        }
        output += size;
    }
}
