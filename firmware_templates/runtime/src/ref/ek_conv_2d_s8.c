/* CONV_2D: the input bytes that an output pixel sees are gathered into a patch, two pixels at a
 * time, and multiplied with four rows of weights at a time, which loads six bytes for eight
 * products. Padding is part of the patch, so the inner loop knows no borders. Rounds twice. */
#include <string.h>

#include "ek_nn.h"

/* What all pixels of one group share. */
typedef struct {
    const ek_conv_2d_params *params;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t channels; /* output channels of the group */
    int32_t depth;    /* bytes of a patch */
} ek_conv_group;

static inline int8_t ek_conv_result(const ek_conv_group *group, int32_t channel, int32_t acc) {
    const ek_conv_2d_params *params = group->params;
    const int32_t scaled =
        ek_requantize_twice(acc, group->multiplier[channel], group->shift[channel]);
    return (int8_t)ek_clamp(ek_add_wrap(scaled, params->output_zero_point), params->activation_min,
                            params->activation_max);
}

/* Two output channels of two pixels. */
static void ek_conv_two(const ek_conv_group *group, int32_t channel, const int8_t *patch0,
                        const int8_t *patch1, int8_t *output0, int8_t *output1) {
    const int32_t depth = group->depth;
    const int8_t *weights0 = group->weights + channel * depth;
    const int8_t *weights1 = weights0 + depth;
    int32_t acc00 = group->bias[channel];
    int32_t acc01 = group->bias[channel + 1];
    int32_t acc10 = acc00;
    int32_t acc11 = acc01;
    for (int32_t i = 0; i < depth; i++) {
        const int32_t x0 = patch0[i];
        const int32_t x1 = patch1[i];
        const int32_t w0 = weights0[i];
        const int32_t w1 = weights1[i];
        acc00 += x0 * w0;
        acc01 += x0 * w1;
        acc10 += x1 * w0;
        acc11 += x1 * w1;
    }
    output0[channel] = ek_conv_result(group, channel, acc00);
    output0[channel + 1] = ek_conv_result(group, channel + 1, acc01);
    output1[channel] = ek_conv_result(group, channel, acc10);
    output1[channel + 1] = ek_conv_result(group, channel + 1, acc11);
}

static void ek_conv_one(const ek_conv_group *group, int32_t channel, const int8_t *patch0,
                        const int8_t *patch1, int8_t *output0, int8_t *output1) {
    const int8_t *weights = group->weights + channel * group->depth;
    int32_t acc0 = group->bias[channel];
    int32_t acc1 = acc0;
    for (int32_t i = 0; i < group->depth; i++) {
        acc0 += patch0[i] * weights[i];
        acc1 += patch1[i] * weights[i];
    }
    output0[channel] = ek_conv_result(group, channel, acc0);
    output1[channel] = ek_conv_result(group, channel, acc1);
}

/* All output channels of the group for two pixels, which may be the same one. */
static void ek_conv_pair(const ek_conv_group *group, const int8_t *patch0, const int8_t *patch1,
                         int8_t *output0, int8_t *output1) {
    int32_t channel = 0;
    for (; channel + 2 <= group->channels; channel += 2) {
        ek_conv_two(group, channel, patch0, patch1, output0, output1);
    }
    if (channel < group->channels) {
        ek_conv_one(group, channel, patch0, patch1, output0, output1);
    }
}

/* One row of a patch: `count` pixels of `channels` bytes, from column `x` on, `dilation` apart. */
static int8_t *ek_conv_gather_row(const ek_conv_2d_params *params, const int8_t *row, int32_t x,
                                  int32_t channels, int8_t *patch) {
    const int32_t dilation = params->dilation_width;
    const size_t size = (size_t)channels;
    for (int32_t i = 0; i < params->filter_width; i++, x += dilation, patch += channels) {
        if (x >= 0 && x < params->input_width) {
            memcpy(patch, row + x * params->input_channels, size);
        } else {
            memset(patch, params->input_zero_point, size);
        }
    }
    return patch;
}

/* Collects the input of one output pixel; `input` is the image at the group's first channel. */
static void ek_conv_gather(const ek_conv_2d_params *params, const int8_t *input, int32_t out_y,
                           int32_t out_x, int8_t *patch) {
    const int32_t channels = params->input_channels / params->groups;
    const int32_t row_size = params->filter_width * channels;
    const int32_t x = out_x * params->stride_width - params->pad_left;
    const int32_t last = x + (params->filter_width - 1) * params->dilation_width;
    const int in_one_piece =
        params->groups == 1 && params->dilation_width == 1 && x >= 0 && last < params->input_width;
    int32_t y = out_y * params->stride_height - params->pad_top;
    for (int32_t i = 0; i < params->filter_height; i++, y += params->dilation_height) {
        if (y < 0 || y >= params->input_height) {
            memset(patch, params->input_zero_point, (size_t)row_size);
            patch += row_size;
            continue;
        }
        const int8_t *row = input + y * params->input_width * params->input_channels;
        if (in_one_piece) {
            memcpy(patch, row + x * channels, (size_t)row_size);
            patch += row_size;
        } else {
            patch = ek_conv_gather_row(params, row, x, channels, patch);
        }
    }
}

/* All pixels of one image for one group. */
static void ek_conv_image(const ek_conv_group *group, const int8_t *input, int8_t *output,
                          int8_t *scratch) {
    const ek_conv_2d_params *params = group->params;
    const int32_t pixels = params->output_height * params->output_width;
    const int8_t *patch[2] = {scratch, scratch};
    int8_t *place[2] = {output, output};
    int32_t out_y = 0;
    int32_t out_x = 0;
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        const int32_t which = pixel & 1;
        if (scratch == NULL) {
            const int32_t y = out_y * params->stride_height;
            const int32_t x = out_x * params->stride_width;
            patch[which] = input + (y * params->input_width + x) * params->input_channels;
        } else {
            int8_t *gathered = scratch + which * group->depth;
            ek_conv_gather(params, input, out_y, out_x, gathered);
            patch[which] = gathered;
        }
        place[which] = output + pixel * params->output_channels;
        if (which == 1) {
            ek_conv_pair(group, patch[0], patch[1], place[0], place[1]);
        } else if (pixel + 1 == pixels) {
            ek_conv_pair(group, patch[0], patch[0], place[0], place[0]);
        }
        if (++out_x == params->output_width) {
            out_x = 0;
            out_y++;
        }
    }
}

void ek_conv_2d_s8(const ek_conv_2d_params *params, const int8_t *input, int8_t *output,
                   void *scratch) {
    const int32_t input_size = params->input_height * params->input_width * params->input_channels;
    const int32_t output_size =
        params->output_height * params->output_width * params->output_channels;
    const int32_t input_channels = params->input_channels / params->groups;
    const int32_t channels = params->output_channels / params->groups;
    for (int32_t first = 0; first < params->output_channels; first += channels) {
        ek_conv_group group;
        group.params = params;
        group.channels = channels;
        group.depth = params->filter_height * params->filter_width * input_channels;
        group.weights = params->weights + first * group.depth;
        group.bias = params->bias + first;
        group.multiplier = params->multiplier + first;
        group.shift = params->shift + first;
        const int8_t *image = input + first / channels * input_channels;
        for (int32_t batch = 0; batch < params->batches; batch++) {
            ek_conv_image(&group, image + batch * input_size, output + batch * output_size + first,
                          scratch);
        }
    }
}
