/* What edgekit's kernels use of ESP-NN's public header: types and functions as ESP-NN 1.1.2 has
 * them. */
#ifndef ESP_NN_H
#define ESP_NN_H

#include <stdint.h>

typedef struct {
    int32_t width;
    int32_t height;
    int32_t channels;
    int32_t extra;
} data_dims_t;

typedef struct {
    int32_t width;
    int32_t height;
} data_2d_t;

typedef struct {
    int32_t min;
    int32_t max;
} act_params_t;

typedef struct {
    int32_t *shift;
    int32_t *mult;
} quant_data_t;

typedef struct {
    int32_t in_offset;
    int32_t out_offset;
    data_2d_t stride;
    data_2d_t padding;
    data_2d_t dilation;
    act_params_t activation;
} conv_params_t;

typedef struct {
    int32_t in_offset;
    int32_t out_offset;
    int32_t ch_mult;
    data_2d_t stride;
    data_2d_t padding;
    data_2d_t dilation;
    act_params_t activation;
} dw_conv_params_t;

void esp_nn_add_elementwise_s8(const int8_t *input1, const int8_t *input2, int32_t input1_offset,
                               int32_t input2_offset, int32_t input1_mult, int32_t input2_mult,
                               int32_t input1_shift, int32_t input2_shift, int32_t left_shift,
                               int8_t *output, int32_t out_offset, int32_t out_mult,
                               int32_t out_shift, int32_t activation_min, int32_t activation_max,
                               int32_t size);

void esp_nn_mul_elementwise_s8(const int8_t *input1, const int8_t *input2, int32_t input1_offset,
                               int32_t input2_offset, int8_t *output, int32_t out_offset,
                               int32_t out_mult, int32_t out_shift, int32_t activation_min,
                               int32_t activation_max, int32_t size);

void esp_nn_set_conv_scratch_buf(void *buffer);
void esp_nn_conv_s8(const data_dims_t *input_dims, const int8_t *input,
                    const data_dims_t *filter_dims, const int8_t *filter, const int32_t *bias,
                    const data_dims_t *output_dims, int8_t *output, const conv_params_t *params,
                    const quant_data_t *quant);

void esp_nn_set_depthwise_conv_scratch_buf(void *buffer);
void esp_nn_depthwise_conv_s8(const data_dims_t *input_dims, const int8_t *input,
                              const data_dims_t *filter_dims, const int8_t *filter,
                              const int32_t *bias, const data_dims_t *output_dims, int8_t *output,
                              const dw_conv_params_t *params, const quant_data_t *quant);

void esp_nn_fully_connected_s8(const int8_t *input, int32_t input_offset, uint16_t row_len,
                               const int8_t *filter, int32_t filter_offset, const int32_t *bias,
                               int8_t *output, uint16_t out_channels, int32_t out_offset,
                               int32_t out_shift, int32_t out_mult, int32_t activation_min,
                               int32_t activation_max);
void esp_nn_fully_connected_per_ch_s8(const int8_t *input, int32_t input_offset, uint16_t row_len,
                                      const int8_t *filter, int32_t filter_offset,
                                      const int32_t *bias, int8_t *output, uint16_t out_channels,
                                      int32_t out_offset, const int32_t *out_shift,
                                      const int32_t *out_mult, int32_t activation_min,
                                      int32_t activation_max);

void esp_nn_avg_pool_s8(const int8_t *input, uint16_t input_wd, uint16_t input_ht, int8_t *output,
                        uint16_t output_wd, uint16_t output_ht, uint16_t stride_wd,
                        uint16_t stride_ht, uint16_t filter_wd, uint16_t filter_ht, uint16_t pad_wd,
                        uint16_t pad_ht, int32_t activation_min, int32_t activation_max,
                        uint16_t channels);
void esp_nn_max_pool_s8(const int8_t *input, uint16_t input_wd, uint16_t input_ht, int8_t *output,
                        uint16_t output_wd, uint16_t output_ht, uint16_t stride_wd,
                        uint16_t stride_ht, uint16_t filter_wd, uint16_t filter_ht, uint16_t pad_wd,
                        uint16_t pad_ht, int32_t activation_min, int32_t activation_max,
                        uint16_t channels);

void esp_nn_set_softmax_scratch_buf(void *buffer);
void esp_nn_softmax_s8(const int8_t *input, int32_t height, int32_t width, int32_t mult,
                       int32_t shift, int32_t diff_min, int8_t *output);

#endif
