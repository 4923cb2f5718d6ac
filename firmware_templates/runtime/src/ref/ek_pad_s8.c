/* PAD: rows are copied between runs of the zero point. */
#include <string.h>

#include "ek_nn.h"

static int8_t *ek_pad_fill(const ek_pad_params *params, int8_t *output, int32_t size) {
    memset(output, params->value, (size_t)size);
    return output + size;
}

/* One block of the last two dimensions. */
static int8_t *ek_pad_rows(const ek_pad_params *params, const int8_t *input, int8_t *output) {
    const int32_t size = params->input_size[3];
    const int32_t row = params->before[3] + size + params->after[3];
    output = ek_pad_fill(params, output, params->before[2] * row);
    for (int32_t i = 0; i < params->input_size[2]; i++) {
        output = ek_pad_fill(params, output, params->before[3]);
        /* The two may overlap: forward, as the output never lies behind the input. */
        for (int32_t j = 0; j < size; j++) {
            *output++ = *input++;
        }
        output = ek_pad_fill(params, output, params->after[3]);
    }
    return ek_pad_fill(params, output, params->after[2] * row);
}

void ek_pad_s8(const ek_pad_params *params, const int8_t *input, int8_t *output, void *scratch) {
    (void)scratch;
    const int32_t row = params->before[3] + params->input_size[3] + params->after[3];
    const int32_t plane = (params->before[2] + params->input_size[2] + params->after[2]) * row;
    const int32_t block = (params->before[1] + params->input_size[1] + params->after[1]) * plane;
    output = ek_pad_fill(params, output, params->before[0] * block);
    for (int32_t i = 0; i < params->input_size[0]; i++) {
        output = ek_pad_fill(params, output, params->before[1] * plane);
        for (int32_t j = 0; j < params->input_size[1]; j++) {
            output = ek_pad_rows(params, input, output);
            input += params->input_size[2] * params->input_size[3];
        }
        output = ek_pad_fill(params, output, params->after[1] * plane);
    }
    ek_pad_fill(params, output, params->after[0] * block);
}
