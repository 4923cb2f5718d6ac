/* What ESP-NN's functions say that they compute, in plain C of our own: with it the kernels that
 * call them run where ESP-NN is not at hand. Exact but for the softmax, which is near enough to
 * find a wrong argument. */

#include "esp_nn.h"

#include <math.h>
#include <stdlib.h>

#include "ek_requantize.h"

static const void *conv_scratch;
static const void *depthwise_scratch;
static const void *softmax_scratch;

void esp_nn_set_conv_scratch_buf(void *buffer) {
    conv_scratch = buffer;
}

void esp_nn_set_depthwise_conv_scratch_buf(void *buffer) {
    depthwise_scratch = buffer;
}

void esp_nn_set_softmax_scratch_buf(void *buffer) {
    softmax_scratch = buffer;
}

static int8_t result(int32_t acc, int32_t mult, int32_t shift, int32_t offset, act_params_t act) {
    const int32_t scaled = ek_requantize_twice(acc, mult, shift);
    return (int8_t)ek_clamp(ek_add_wrap(scaled, offset), act.min, act.max);
}

void esp_nn_add_elementwise_s8(const int8_t *input1, const int8_t *input2, int32_t input1_offset,
                               int32_t input2_offset, int32_t input1_mult, int32_t input2_mult,
                               int32_t input1_shift, int32_t input2_shift, int32_t left_shift,
                               int8_t *output, int32_t out_offset, int32_t out_mult,
                               int32_t out_shift, int32_t activation_min, int32_t activation_max,
                               int32_t size) {
    const act_params_t act = {activation_min, activation_max};
    for (int32_t i = 0; i < size; i++) {
        const int32_t wide1 = (input1[i] + input1_offset) * (1 << left_shift);
        const int32_t wide2 = (input2[i] + input2_offset) * (1 << left_shift);
        const int32_t sum = ek_requantize_twice(wide1, input1_mult, input1_shift) +
                            ek_requantize_twice(wide2, input2_mult, input2_shift);
        output[i] = result(sum, out_mult, out_shift, out_offset, act);
    }
}

void esp_nn_mul_elementwise_s8(const int8_t *input1, const int8_t *input2, int32_t input1_offset,
                               int32_t input2_offset, int8_t *output, int32_t out_offset,
                               int32_t out_mult, int32_t out_shift, int32_t activation_min,
                               int32_t activation_max, int32_t size) {
    const act_params_t act = {activation_min, activation_max};
    for (int32_t i = 0; i < size; i++) {
        const int32_t product = (input1[i] + input1_offset) * (input2[i] + input2_offset);
        output[i] = result(product, out_mult, out_shift, out_offset, act);
    }
}

/* A pixel's value plus the offset, which is 0 outside the image. */
static int32_t pixel(const data_dims_t *dims, const int8_t *data, int32_t y, int32_t x,
                     int32_t channel, int32_t offset) {
    if (y < 0 || y >= dims->height || x < 0 || x >= dims->width) {
        return 0;
    }
    return data[(y * dims->width + x) * dims->channels + channel] + offset;
}

void esp_nn_conv_s8(const data_dims_t *input_dims, const int8_t *input,
                    const data_dims_t *filter_dims, const int8_t *filter, const int32_t *bias,
                    const data_dims_t *output_dims, int8_t *output, const conv_params_t *params,
                    const quant_data_t *quant) {
    if (conv_scratch == NULL || filter_dims->channels != input_dims->channels) {
        abort();
    }
    for (int32_t i = 0; i < output_dims->height * output_dims->width; i++) {
        const int32_t top = i / output_dims->width * params->stride.height - params->padding.height;
        const int32_t left = i % output_dims->width * params->stride.width - params->padding.width;
        const int8_t *weights = filter;
        for (int32_t channel = 0; channel < output_dims->channels; channel++) {
            int32_t acc = bias[channel];
            for (int32_t y = 0; y < filter_dims->height; y++) {
                for (int32_t x = 0; x < filter_dims->width; x++) {
                    for (int32_t c = 0; c < input_dims->channels; c++) {
                        acc += *weights++ *
                               pixel(input_dims, input, top + y, left + x, c, params->in_offset);
                    }
                }
            }
            *output++ = result(acc, quant->mult[channel], quant->shift[channel], params->out_offset,
                               params->activation);
        }
    }
}

void esp_nn_depthwise_conv_s8(const data_dims_t *input_dims, const int8_t *input,
                              const data_dims_t *filter_dims, const int8_t *filter,
                              const int32_t *bias, const data_dims_t *output_dims, int8_t *output,
                              const dw_conv_params_t *params, const quant_data_t *quant) {
    const int32_t channels = input_dims->channels * params->ch_mult;
    if (depthwise_scratch == NULL || channels != output_dims->channels) {
        abort();
    }
    for (int32_t i = 0; i < output_dims->height * output_dims->width; i++) {
        const int32_t top = i / output_dims->width * params->stride.height - params->padding.height;
        const int32_t left = i % output_dims->width * params->stride.width - params->padding.width;
        for (int32_t channel = 0; channel < channels; channel++) {
            int32_t acc = bias[channel];
            for (int32_t y = 0; y < filter_dims->height; y++) {
                for (int32_t x = 0; x < filter_dims->width; x++) {
                    acc += filter[(y * filter_dims->width + x) * channels + channel] *
                           pixel(input_dims, input, top + y, left + x, channel / params->ch_mult,
                                 params->in_offset);
                }
            }
            *output++ = result(acc, quant->mult[channel], quant->shift[channel], params->out_offset,
                               params->activation);
        }
    }
}

static int32_t dot(const int8_t *input, int32_t input_offset, const int8_t *filter,
                   int32_t filter_offset, uint16_t size) {
    int32_t sum = 0;
    for (uint16_t i = 0; i < size; i++) {
        sum += (input[i] + input_offset) * (filter[i] + filter_offset);
    }
    return sum;
}

void esp_nn_fully_connected_s8(const int8_t *input, int32_t input_offset, uint16_t row_len,
                               const int8_t *filter, int32_t filter_offset, const int32_t *bias,
                               int8_t *output, uint16_t out_channels, int32_t out_offset,
                               int32_t out_shift, int32_t out_mult, int32_t activation_min,
                               int32_t activation_max) {
    const act_params_t act = {activation_min, activation_max};
    for (uint16_t i = 0; i < out_channels; i++) {
        const int32_t acc = dot(input, input_offset, filter + i * row_len, filter_offset, row_len);
        output[i] = result(acc + bias[i], out_mult, out_shift, out_offset, act);
    }
}

void esp_nn_fully_connected_per_ch_s8(const int8_t *input, int32_t input_offset, uint16_t row_len,
                                      const int8_t *filter, int32_t filter_offset,
                                      const int32_t *bias, int8_t *output, uint16_t out_channels,
                                      int32_t out_offset, const int32_t *out_shift,
                                      const int32_t *out_mult, int32_t activation_min,
                                      int32_t activation_max) {
    const act_params_t act = {activation_min, activation_max};
    for (uint16_t i = 0; i < out_channels; i++) {
        const int32_t acc = dot(input, input_offset, filter + i * row_len, filter_offset, row_len);
        output[i] = result(acc + bias[i], out_mult[i], out_shift[i], out_offset, act);
    }
}

typedef struct {
    int32_t sum;
    int32_t count;
    int32_t largest;
} window_sum;

static window_sum look(const data_dims_t *dims, const int8_t *data, int32_t top, int32_t left,
                       int32_t height, int32_t width, int32_t channel) {
    window_sum found = {0, 0, INT8_MIN};
    for (int32_t y = top; y < top + height; y++) {
        for (int32_t x = left; x < left + width; x++) {
            if (y >= 0 && y < dims->height && x >= 0 && x < dims->width) {
                const int32_t value = pixel(dims, data, y, x, channel, 0);
                found.sum += value;
                found.count++;
                found.largest = value > found.largest ? value : found.largest;
            }
        }
    }
    return found;
}

void esp_nn_avg_pool_s8(const int8_t *input, uint16_t input_wd, uint16_t input_ht, int8_t *output,
                        uint16_t output_wd, uint16_t output_ht, uint16_t stride_wd,
                        uint16_t stride_ht, uint16_t filter_wd, uint16_t filter_ht, uint16_t pad_wd,
                        uint16_t pad_ht, int32_t activation_min, int32_t activation_max,
                        uint16_t channels) {
    const data_dims_t dims = {input_wd, input_ht, channels, 1};
    for (int32_t i = 0; i < output_ht * output_wd * channels; i++) {
        const int32_t y = i / channels / output_wd * stride_ht - pad_ht;
        const int32_t x = i / channels % output_wd * stride_wd - pad_wd;
        const window_sum found = look(&dims, input, y, x, filter_ht, filter_wd, i % channels);
        const int32_t half = found.sum > 0 ? found.count / 2 : -(found.count / 2);
        output[i] =
            (int8_t)ek_clamp((found.sum + half) / found.count, activation_min, activation_max);
    }
}

void esp_nn_max_pool_s8(const int8_t *input, uint16_t input_wd, uint16_t input_ht, int8_t *output,
                        uint16_t output_wd, uint16_t output_ht, uint16_t stride_wd,
                        uint16_t stride_ht, uint16_t filter_wd, uint16_t filter_ht, uint16_t pad_wd,
                        uint16_t pad_ht, int32_t activation_min, int32_t activation_max,
                        uint16_t channels) {
    const data_dims_t dims = {input_wd, input_ht, channels, 1};
    for (int32_t i = 0; i < output_ht * output_wd * channels; i++) {
        const int32_t y = i / channels / output_wd * stride_ht - pad_ht;
        const int32_t x = i / channels % output_wd * stride_wd - pad_wd;
        const window_sum found = look(&dims, input, y, x, filter_ht, filter_wd, i % channels);
        output[i] = (int8_t)ek_clamp(found.largest, activation_min, activation_max);
    }
}

void esp_nn_softmax_s8(const int8_t *input, int32_t height, int32_t width, int32_t mult,
                       int32_t shift, int32_t diff_min, int8_t *output) {
    if (softmax_scratch == NULL) {
        abort();
    }
    const double scale = ldexp(mult, shift - 31 - 26); /* of a difference; Q5.26 has 26 bits */
    for (int32_t row = 0; row < height; row++, input += width, output += width) {
        int32_t largest = INT8_MIN;
        double sum = 0;
        for (int32_t i = 0; i < width; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        for (int32_t i = 0; i < width; i++) {
            sum += input[i] - largest >= diff_min ? exp((input[i] - largest) * scale) : 0;
        }
        for (int32_t i = 0; i < width; i++) {
            const double share =
                input[i] - largest >= diff_min ? exp((input[i] - largest) * scale) / sum : 0;
            output[i] = (int8_t)ek_clamp((int32_t)lround(share * 256) - 128, INT8_MIN, INT8_MAX);
        }
    }
}
