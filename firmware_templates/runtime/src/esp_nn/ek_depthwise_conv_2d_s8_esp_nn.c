/* DEPTHWISE_CONV_2D by ESP-NN: no dilation. */
#include <esp_nn.h>

#include "ek_esp_nn.h"

void ek_depthwise_conv_2d_s8_esp_nn(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                                    int8_t *output, void *scratch) {
    const int32_t channels = params->input_channels * params->depth_multiplier;
    const data_dims_t input_dims = {params->input_width, params->input_height,
                                    params->input_channels, 1};
    const data_dims_t filter_dims = {params->filter_width, params->filter_height, channels, 1};
    const data_dims_t output_dims = {params->output_width, params->output_height, channels, 1};
    const dw_conv_params_t conv = {
        .in_offset = -params->input_zero_point,
        .out_offset = params->output_zero_point,
        .ch_mult = params->depth_multiplier,
        .stride = {params->stride_width, params->stride_height},
        .padding = {params->pad_left, params->pad_top},
        .dilation = {1, 1},
        .activation = {params->activation_min, params->activation_max},
    };
    const quant_data_t quant = {.shift = scratch, .mult = ek_esp_nn_unconst(params->multiplier)};
    esp_nn_set_depthwise_conv_scratch_buf(ek_esp_nn_shifts(params->shift, channels, scratch));
    esp_nn_depthwise_conv_s8(&input_dims, input, &filter_dims, params->weights, params->bias,
                             &output_dims, output, &conv, &quant);
}
