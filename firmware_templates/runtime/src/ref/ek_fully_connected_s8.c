/* FULLY_CONNECTED: four outputs at a time share each input byte. Rounds once. */
#include "ek_nn.h"

static inline int8_t ek_fully_connected_result(const ek_fully_connected_params *params,
                                               int32_t channel, int32_t acc) {
    const int32_t i = channel * params->channel_step;
    const int32_t scaled =
        ek_requantize_once(acc, params->multiplier[i], params->multiplier_low[i], params->shift[i]);
    return (int8_t)ek_clamp(scaled + params->output_zero_point, params->activation_min,
                            params->activation_max);
}

static void ek_fully_connected_four(const ek_fully_connected_params *params, int32_t channel,
                                    const int8_t *input, int8_t *output) {
    const int32_t depth = params->input_depth;
    const int8_t *weights0 = params->weights + channel * depth;
    const int8_t *weights1 = weights0 + depth;
    const int8_t *weights2 = weights1 + depth;
    const int8_t *weights3 = weights2 + depth;
    int32_t acc0 = params->bias[channel];
    int32_t acc1 = params->bias[channel + 1];
    int32_t acc2 = params->bias[channel + 2];
    int32_t acc3 = params->bias[channel + 3];
    for (int32_t i = 0; i < depth; i++) {
        const int32_t value = input[i];
        acc0 += value * weights0[i];
        acc1 += value * weights1[i];
        acc2 += value * weights2[i];
        acc3 += value * weights3[i];
    }
    output[channel] = ek_fully_connected_result(params, channel, acc0);
    output[channel + 1] = ek_fully_connected_result(params, channel + 1, acc1);
    output[channel + 2] = ek_fully_connected_result(params, channel + 2, acc2);
    output[channel + 3] = ek_fully_connected_result(params, channel + 3, acc3);
}

static void ek_fully_connected_one(const ek_fully_connected_params *params, int32_t channel,
                                   const int8_t *input, int8_t *output) {
    const int8_t *weights = params->weights + channel * params->input_depth;
    int32_t acc = params->bias[channel];
    for (int32_t i = 0; i < params->input_depth; i++) {
        acc += input[i] * weights[i];
    }
    output[channel] = ek_fully_connected_result(params, channel, acc);
}

void ek_fully_connected_s8(const ek_fully_connected_params *params, const int8_t *input,
                           int8_t *output, void *scratch) {
    (void)scratch;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        int32_t channel = 0;
        for (; channel + 4 <= params->output_depth; channel += 4) {
            ek_fully_connected_four(params, channel, input, output);
        }
        for (; channel < params->output_depth; channel++) {
            ek_fully_connected_one(params, channel, input, output);
        }
        input += params->input_depth;
        output += params->output_depth;
    }
}
