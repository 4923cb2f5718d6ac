/* PAD: rows are copied between runs of the zero point. */
#include <string.h>

#include "ek_nn.h"

static int8_t *ek_pad_fill(const ek_pad_params *params, int8_t *output, int32_t size) {
    memset(output, params->value, (size_t)size);
    return output + size;
}

/* One block of the last two dimensions. */
static int8_t *ek_pad_rows(const ek_pad_params *params, const int8_t *input, int8_t *output) {
    const int32_t size = params->input_size_3;
    const int32_t row = params->before_3 + size + params->after_3;
    output = ek_pad_fill(params, output, params->before_2 * row);
    for (int32_t i = 0; i < params->input_size_2; i++) {
        output = ek_pad_fill(params, output, params->before_3);
        /* The two may overlap: forward, as the output never lies behind the input. */
        for (int32_t j = 0; j < size; j++) {
            *output++ = *input++;
        }
        output = ek_pad_fill(params, output, params->after_3);
    }
    return ek_pad_fill(params, output, params->after_2 * row);
}

void ek_pad_s8(const ek_pad_params *params, const int8_t *input, int8_t *output, void *scratch) {
    (void)scratch;
    const int32_t row = params->before_3 + params->input_size_3 + params->after_3;
    const int32_t plane = (params->before_2 + params->input_size_2 + params->after_2) * row;
    const int32_t block = (params->before_1 + params->input_size_1 + params->after_1) * plane;
    output = ek_pad_fill(params, output, params->before_0 * block);
    for (int32_t i = 0; i < params->input_size_0; i++) {
        output = ek_pad_fill(params, output, params->before_1 * plane);
        for (int32_t j = 0; j < params->input_size_1; j++) {
            output = ek_pad_rows(params, input, output);
            input += params->input_size_2 * params->input_size_3;
        }
        output = ek_pad_fill(params, output, params->after_1 * plane);
    }
    ek_pad_fill(params, output, params->after_0 * block);
}
