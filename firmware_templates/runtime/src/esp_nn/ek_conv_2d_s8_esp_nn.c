/* CONV_2D by ESP-NN: one group, no dilation. Where an output looks outside the image, ESP-NN gets a
 * copy that holds the padding: its own padding is the same on both sides. */
#include <esp_nn.h>
#include <string.h>

#include "ek_esp_nn.h"

/* Copies what the outputs look at, `height` by `width` pixels, with the zero point outside. */
static void ek_conv_pad(const ek_conv_2d_params *params, const int8_t *input, int32_t height,
                        int32_t width, int8_t *padded) {
    const int32_t channels = params->input_channels;
    const int32_t end = params->pad_left + params->input_width;
    const int32_t inside = (end < width ? end : width) - params->pad_left;
    memset(padded, params->input_zero_point, (size_t)(height * width * channels));
    if (inside <= 0 || params->pad_top >= height) {
        return; /* a long stride passes the image by */
    }
    padded += (params->pad_top * width + params->pad_left) * channels;
    for (int32_t y = params->pad_top; y < height && y - params->pad_top < params->input_height;
         y++) {
        memcpy(padded, input, (size_t)(inside * channels));
        input += params->input_width * channels;
        padded += width * channels;
    }
}

void ek_conv_2d_s8_esp_nn(const ek_conv_2d_params *params, const int8_t *input, int8_t *output,
                          void *scratch) {
    const int32_t height =
        (params->output_height - 1) * params->stride_height + params->filter_height;
    const int32_t width = (params->output_width - 1) * params->stride_width + params->filter_width;
    const int leaves_image = params->pad_top > 0 || params->pad_left > 0 ||
                             height > params->input_height || width > params->input_width;
    const int32_t size = height * width * params->input_channels;
    const data_dims_t input_dims = {leaves_image ? width : params->input_width,
                                    leaves_image ? height : params->input_height,
                                    params->input_channels, 1};
    const data_dims_t filter_dims = {params->filter_width, params->filter_height,
                                     params->input_channels, 1};
    const data_dims_t output_dims = {params->output_width, params->output_height,
                                     params->output_channels, 1};
    const conv_params_t conv = {
        .in_offset = 0, /* the zero point is in the bias */
        .out_offset = params->output_zero_point,
        .stride = {params->stride_width, params->stride_height},
        .padding = {0, 0},
        .dilation = {1, 1},
        .activation = {params->activation_min, params->activation_max},
    };
    const quant_data_t quant = {.shift = scratch, .mult = ek_esp_nn_unconst(params->multiplier)};
    int8_t *padded = ek_esp_nn_shifts(params->shift, params->output_channels, scratch);
    esp_nn_set_conv_scratch_buf(padded + (leaves_image ? (size + 15) / 16 * 16 : 0));
    if (leaves_image) {
        ek_conv_pad(params, input, height, width, padded);
    }
    esp_nn_conv_s8(&input_dims, leaves_image ? padded : input, &filter_dims, params->weights,
                   params->bias, &output_dims, output, &conv, &quant);
}
