/* MEAN: a sum over the middle dimension, four neighbours at a time. Rounds twice. */
#include "ek_nn.h"

static inline int8_t ek_mean_result(const ek_mean_params *params, int32_t sum) {
    const int32_t mean = ek_requantize_twice(sum, params->multiplier, params->shift);
    return (int8_t)ek_clamp(ek_add_wrap(mean, params->output_zero_point), INT8_MIN, INT8_MAX);
}

void ek_mean_s8(const ek_mean_params *params, const int8_t *input, int8_t *output, void *scratch) {
    (void)scratch;
    const int32_t inner = params->inner;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        int32_t i = 0;
        for (; i + 4 <= inner; i += 4) {
            int32_t sum0 = params->bias;
            int32_t sum1 = params->bias;
            int32_t sum2 = params->bias;
            int32_t sum3 = params->bias;
            for (int32_t j = 0; j < params->reduced; j++) {
                const int8_t *values = input + j * inner + i;
                sum0 += values[0];
                sum1 += values[1];
                sum2 += values[2];
                sum3 += values[3];
            }
            *output++ = ek_mean_result(params, sum0);
            *output++ = ek_mean_result(params, sum1);
            *output++ = ek_mean_result(params, sum2);
            *output++ = ek_mean_result(params, sum3);
        }
        for (; i < inner; i++) {
            int32_t sum = params->bias;
            for (int32_t j = 0; j < params->reduced; j++) {
                sum += input[j * inner + i];
            }
            *output++ = ek_mean_result(params, sum);
        }
        input += params->reduced * inner;
    }
}
