/* MEAN over dimensions that are not neighbours. Rounds twice. */
#include "ek_nn.h"

static int32_t ek_mean_sum(const ek_mean_axes_params *params, const int8_t *input) {
    int32_t sum = params->bias;
    for (int32_t i = 0; i < params->reduced_size[0]; i++) {
        for (int32_t j = 0; j < params->reduced_size[1]; j++) {
            const int8_t *from =
                input + i * params->reduced_stride[0] + j * params->reduced_stride[1];
            for (int32_t k = 0; k < params->reduced_size[2]; k++) {
                sum += from[k * params->reduced_stride[2]];
            }
        }
    }
    return sum;
}

void ek_mean_axes_s8(const ek_mean_axes_params *params, const int8_t *input, int8_t *output,
                     void *scratch) {
    (void)scratch;
    for (int32_t i = 0; i < params->kept_size[0]; i++) {
        for (int32_t j = 0; j < params->kept_size[1]; j++) {
            for (int32_t k = 0; k < params->kept_size[2]; k++) {
                const int8_t *from = input + i * params->kept_stride[0] +
                                     j * params->kept_stride[1] + k * params->kept_stride[2];
                const int32_t scaled = ek_requantize_twice(ek_mean_sum(params, from),
                                                           params->multiplier, params->shift);
                *output++ = (int8_t)ek_clamp(ek_add_wrap(scaled, params->output_zero_point),
                                             INT8_MIN, INT8_MAX);
            }
        }
    }
}
