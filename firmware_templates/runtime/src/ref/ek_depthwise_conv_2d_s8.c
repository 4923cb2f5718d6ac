/* DEPTHWISE_CONV_2D: four channels at a time, which lie side by side in the input and the weights.
 * An output pixel near the border works on a copy of its input that holds the padding too, so the
 * inner loop knows no borders. Rounds twice. */
#include <string.h>

#include "ek_nn.h"

/* The input of one output pixel. */
typedef struct {
    const int8_t *data;
    int32_t row_stride;    /* from a filter row to the next */
    int32_t column_stride; /* from a filter column to the next */
} ek_depthwise_view;

static inline int8_t ek_depthwise_result(const ek_depthwise_conv_2d_params *params, int32_t channel,
                                         int32_t acc) {
    const int32_t scaled =
        ek_requantize_twice(acc, params->multiplier[channel], params->shift[channel]);
    return (int8_t)ek_clamp(ek_add_wrap(scaled, params->output_zero_point), params->activation_min,
                            params->activation_max);
}

static void ek_depthwise_four(const ek_depthwise_conv_2d_params *params,
                              const ek_depthwise_view *view, int32_t channel, int8_t *output) {
    const int32_t channels = params->input_channels;
    int32_t weight = channel;
    int32_t acc0 = params->bias[channel];
    int32_t acc1 = params->bias[channel + 1];
    int32_t acc2 = params->bias[channel + 2];
    int32_t acc3 = params->bias[channel + 3];
    for (int32_t y = 0; y < params->filter_height; y++) {
        int32_t value = y * view->row_stride + channel;
        for (int32_t x = 0; x < params->filter_width; x++) {
            const int8_t *values = view->data + value;
            const int8_t *weights = params->weights + weight;
            acc0 += values[0] * weights[0];
            acc1 += values[1] * weights[1];
            acc2 += values[2] * weights[2];
            acc3 += values[3] * weights[3];
            value += view->column_stride;
            weight += channels;
        }
    }
    output[channel] = ek_depthwise_result(params, channel, acc0);
    output[channel + 1] = ek_depthwise_result(params, channel + 1, acc1);
    output[channel + 2] = ek_depthwise_result(params, channel + 2, acc2);
    output[channel + 3] = ek_depthwise_result(params, channel + 3, acc3);
}

static void ek_depthwise_one(const ek_depthwise_conv_2d_params *params,
                             const ek_depthwise_view *view, int32_t in_channel, int32_t channel,
                             int8_t *output) {
    const int32_t channels = params->input_channels * params->depth_multiplier;
    int32_t weight = channel;
    int32_t acc = params->bias[channel];
    for (int32_t y = 0; y < params->filter_height; y++) {
        int32_t value = y * view->row_stride + in_channel;
        for (int32_t x = 0; x < params->filter_width; x++) {
            acc += view->data[value] * params->weights[weight];
            value += view->column_stride;
            weight += channels;
        }
    }
    output[channel] = ek_depthwise_result(params, channel, acc);
}

static void ek_depthwise_pixel(const ek_depthwise_conv_2d_params *params,
                               const ek_depthwise_view *view, int8_t *output) {
    int32_t channel = 0;
    if (params->depth_multiplier == 1) {
        for (; channel + 4 <= params->input_channels; channel += 4) {
            ek_depthwise_four(params, view, channel, output);
        }
        for (; channel < params->input_channels; channel++) {
            ek_depthwise_one(params, view, channel, channel, output);
        }
        return;
    }
    for (int32_t in_channel = 0; in_channel < params->input_channels; in_channel++) {
        for (int32_t i = 0; i < params->depth_multiplier; i++, channel++) {
            ek_depthwise_one(params, view, in_channel, channel, output);
        }
    }
}

/* Copies the input of an output pixel whose filter starts at (y, x), zero point outside the image.
 */
static void ek_depthwise_gather(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                                int32_t y, int32_t x, int8_t *patch) {
    const size_t size = (size_t)params->input_channels;
    for (int32_t i = 0; i < params->filter_height; i++, y += params->dilation_height) {
        int32_t column = x;
        for (int32_t j = 0; j < params->filter_width; j++, column += params->dilation_width) {
            if (y >= 0 && y < params->input_height && column >= 0 && column < params->input_width) {
                const int32_t pixel = y * params->input_width + column;
                memcpy(patch, input + pixel * params->input_channels, size);
            } else {
                memset(patch, params->input_zero_point, size);
            }
            patch += params->input_channels;
        }
    }
}

void ek_depthwise_conv_2d_s8(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                             int8_t *output, void *scratch) {
    const int32_t channels = params->input_channels;
    const int32_t row_size = params->input_width * channels;
    const int32_t height = (params->filter_height - 1) * params->dilation_height;
    const int32_t width = (params->filter_width - 1) * params->dilation_width;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t out_y = 0; out_y < params->output_height; out_y++) {
            const int32_t y = out_y * params->stride_height - params->pad_top;
            const int rows_inside = y >= 0 && y + height < params->input_height;
            for (int32_t out_x = 0; out_x < params->output_width; out_x++) {
                const int32_t x = out_x * params->stride_width - params->pad_left;
                ek_depthwise_view view;
                if (rows_inside && x >= 0 && x + width < params->input_width) {
                    view.data = input + y * row_size + x * channels;
                    view.row_stride = params->dilation_height * row_size;
                    view.column_stride = params->dilation_width * channels;
                } else {
                    ek_depthwise_gather(params, input, y, x, scratch);
                    view.data = scratch;
                    view.row_stride = params->filter_width * channels;
                    view.column_stride = channels;
                }
                ek_depthwise_pixel(params, &view, output);
                output += channels * params->depth_multiplier;
            }
        }
        input += params->input_height * row_size;
    }
}
