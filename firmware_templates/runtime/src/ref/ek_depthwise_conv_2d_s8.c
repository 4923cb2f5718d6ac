/* DEPTHWISE_CONV_2D: two neighbouring output pixels at a time, channel by channel, three columns of
 * the filter at a time. Two pixels near the border work on a copy of what they see, which holds the
 * padding too, so the inner loop knows no borders. Rounds twice.
 *
 * A channel of both pixels is read before it is written, channels and pixels are written in
 * ascending order: the host relies on it where it lays the output over the input. */
#include <string.h>

#include "ek_nn.h"
#include "ek_pair.h"

/* What two output pixels see, and how to go over it. All distances are in bytes. */
typedef struct {
    const int8_t *data;
    int32_t row;           /* from a filter row to the next */
    int32_t column;        /* from a filter column to the next */
    int32_t pixel;         /* from the first output pixel's to the second's; 0: they are the same */
    int32_t filter_height; /* in rows */
    int32_t filter_width;  /* in columns */
    int32_t channels;      /* from a weight to the next column's */
    int32_t first;         /* sums */
    int32_t second;
} ek_depthwise_view;

/* Sums all products of one channel for both pixels. */
static EK_NOINLINE void ek_depthwise_sum(const int8_t *row, const int8_t *weights,
                                         ek_depthwise_view *view) {
    int32_t first = 0;
    int32_t second = 0;
    for (int32_t y = view->filter_height; y > 0; y--, row += view->row) {
        const int8_t *value = row;
        for (int32_t x = view->filter_width; x > 0; x--) {
            first += value[0] * weights[0];
            second += value[view->pixel] * weights[0];
            value += view->column;
            weights += view->channels;
        }
    }
    view->first = first;
    view->second = second;
}

/* The same for three columns. */
static EK_NOINLINE void ek_depthwise_sum_three(const int8_t *row, const int8_t *weights,
                                               ek_depthwise_view *view) {
    const int32_t column = view->column;
    const int32_t channels = view->channels;
    const int8_t *other = row + view->pixel;
    int32_t first = 0;
    int32_t second = 0;
    for (int32_t y = view->filter_height; y > 0; y--) {
        const int32_t weight0 = weights[0];
        const int32_t weight1 = weights[channels];
        const int32_t weight2 = weights[2 * channels];
        first += row[0] * weight0;
        second += other[0] * weight0;
        first += row[column] * weight1;
        second += other[column] * weight1;
        first += row[2 * column] * weight2;
        second += other[2 * column] * weight2;
        weights += 3 * channels;
        row += view->row;
        other += view->row;
    }
    view->first = first;
    view->second = second;
}

/* The same where the second pixel is one column further, so that they share two columns. */
static EK_NOINLINE void ek_depthwise_sum_next(const int8_t *row, const int8_t *weights,
                                              ek_depthwise_view *view) {
    const int32_t column = view->column;
    int32_t first = 0;
    int32_t second = 0;
    for (int32_t y = view->filter_height; y > 0; y--, row += view->row) {
        const int32_t value0 = row[0];
        const int32_t value1 = row[column];
        const int32_t value2 = row[2 * column];
        const int32_t value3 = row[3 * column];
        first += value0 * weights[0];
        second += value1 * weights[0];
        first += value1 * weights[column];
        second += value2 * weights[column];
        first += value2 * weights[2 * column];
        second += value3 * weights[2 * column];
        weights += 3 * column;
    }
    view->first = first;
    view->second = second;
}

/* All channels of both pixels. */
static void ek_depthwise_pixels(const ek_depthwise_conv_2d_params *params, ek_depthwise_view *view,
                                const ek_pair_output *output) {
    const int three = view->filter_width == 3;
    const int next = view->pixel == view->column && view->channels == view->column;
    int32_t channel = 0;
    for (int32_t i = 0; i < params->input_channels; i++) {
        const int8_t *data = view->data + i;
        for (int32_t j = 0; j < params->depth_multiplier; j++, channel++) {
            if (three && next) {
                ek_depthwise_sum_next(data, params->weights + channel, view);
            } else if (three) {
                ek_depthwise_sum_three(data, params->weights + channel, view);
            } else {
                ek_depthwise_sum(data, params->weights + channel, view);
            }
            ek_pair_write(output, channel, view->first, view->second);
        }
    }
}

/* Copies `columns` columns of the input of pixels whose filter starts at (y, x), zero point outside
 * the image. */
static void ek_depthwise_gather(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                                int32_t y, int32_t x, int32_t columns, int8_t *patch) {
    const int32_t channels = params->input_channels;
    for (int32_t i = 0; i < params->filter_height; i++, y += params->dilation_height) {
        int32_t before = columns;
        int32_t inside = 0;
        if (y >= 0 && y < params->input_height) {
            before = ek_clamp(-x, 0, columns);
            inside = ek_clamp(params->input_width - x, before, columns) - before;
        }
        const int32_t after = columns - before - inside;
        memset(patch, params->input_zero_point, (size_t)(before * channels));
        patch += before * channels;
        if (inside > 0) {
            const int32_t pixel = y * params->input_width + x + before;
            memcpy(patch, input + pixel * channels, (size_t)(inside * channels));
            patch += inside * channels;
        }
        memset(patch, params->input_zero_point, (size_t)(after * channels));
        patch += after * channels;
    }
}

/* Lets the view show what two pixels see whose filters start at (y, x) and `stride` columns on. */
static void ek_depthwise_look(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                              int32_t y, int32_t x, int32_t stride, ek_depthwise_view *view,
                              int8_t *scratch) {
    const int32_t channels = params->input_channels;
    const int32_t height = (params->filter_height - 1) * params->dilation_height + 1;
    const int32_t columns = (params->filter_width - 1) * params->dilation_width + 1 + stride;
    view->pixel = stride * channels;
    if (y >= 0 && y + height <= params->input_height && x >= 0 &&
        x + columns <= params->input_width) {
        view->data = input + (y * params->input_width + x) * channels;
        view->row = params->dilation_height * params->input_width * channels;
    } else {
        ek_depthwise_gather(params, input, y, x, columns, scratch);
        view->data = scratch;
        view->row = columns * channels;
    }
}

void ek_depthwise_conv_2d_s8(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                             int8_t *output, void *scratch) {
    const int32_t channels = params->input_channels * params->depth_multiplier;
    ek_depthwise_view view;
    view.column = params->dilation_width * params->input_channels;
    view.filter_height = params->filter_height;
    view.filter_width = params->filter_width;
    view.channels = channels;
    ek_pair_output place;
    place.bias = params->bias;
    place.multiplier = params->multiplier;
    place.shift = params->shift;
    place.zero_point = params->output_zero_point;
    place.low = params->activation_min;
    place.high = params->activation_max;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t out_y = 0; out_y < params->output_height; out_y++) {
            const int32_t y = out_y * params->stride_height - params->pad_top;
            for (int32_t out_x = 0; out_x < params->output_width; out_x += 2) {
                const int32_t next = out_x + 1 < params->output_width ? 1 : 0;
                const int32_t x = out_x * params->stride_width - params->pad_left;
                ek_depthwise_look(params, input, y, x, next * params->stride_width, &view, scratch);
                place.first = output;
                place.second = output + next * channels;
                ek_depthwise_pixels(params, &view, &place);
                output += (1 + next) * channels;
            }
        }
        input += params->input_height * params->input_width * params->input_channels;
    }
}
