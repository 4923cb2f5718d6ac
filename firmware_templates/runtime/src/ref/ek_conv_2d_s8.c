/* CONV_2D as products of matrices: the input that two neighbouring output pixels see is gathered
 * into pairs (ek_pair.h), and multiplied with two rows of weights at a time. Padding is part of
 * what is gathered, so the inner loop knows no borders. A filter of one pixel makes the whole input
 * one row. Rounds twice.
 *
 * Both pixels are gathered before either is written (within their group), and pixels are written in
 * ascending order: the host relies on it where it lays the output over the input. */
#include "ek_nn.h"
#include "ek_pair.h"

/* What all pixels of one group share, and where the two at work go. */
typedef struct {
    const int8_t *weights;
    int32_t channels; /* output channels of the group */
    int32_t depth;    /* products of one output */
    ek_pair_output output;
} ek_conv_group;

/* Sums of both pixels' products with two rows of weights. */
typedef struct {
    int32_t size; /* products that come next */
    int32_t first0;
    int32_t second0;
    int32_t first1;
    int32_t second1;
} ek_conv_sums;

/* The image as it is walked: as it is, or as one row. */
typedef struct {
    int32_t batches;
    int32_t input_height;
    int32_t input_width;
    int32_t output_height;
    int32_t output_width;
} ek_conv_image;

/* Sums products of both pixels with two rows of weights. Inlined, the loop would lose registers to
 * what its caller keeps in them. */
static EK_NOINLINE void ek_conv_sum(const ek_pair *patch, const int8_t *weights0,
                                    const int8_t *weights1, ek_conv_sums *sums) {
    const ek_pair *end = patch + sums->size;
    ek_pair_sum sum0 = ek_pair_zero();
    ek_pair_sum sum1 = ek_pair_zero();
#if EK_PAIR_WIDE
    for (const ek_pair *last = end - (sums->size & 7); patch != last;) {
        sum0 = ek_pair_add(sum0, patch[0], weights0[0]);
        sum1 = ek_pair_add(sum1, patch[0], weights1[0]);
        sum0 = ek_pair_add(sum0, patch[1], weights0[1]);
        sum1 = ek_pair_add(sum1, patch[1], weights1[1]);
        sum0 = ek_pair_add(sum0, patch[2], weights0[2]);
        sum1 = ek_pair_add(sum1, patch[2], weights1[2]);
        sum0 = ek_pair_add(sum0, patch[3], weights0[3]);
        sum1 = ek_pair_add(sum1, patch[3], weights1[3]);
        sum0 = ek_pair_add(sum0, patch[4], weights0[4]);
        sum1 = ek_pair_add(sum1, patch[4], weights1[4]);
        sum0 = ek_pair_add(sum0, patch[5], weights0[5]);
        sum1 = ek_pair_add(sum1, patch[5], weights1[5]);
        sum0 = ek_pair_add(sum0, patch[6], weights0[6]);
        sum1 = ek_pair_add(sum1, patch[6], weights1[6]);
        sum0 = ek_pair_add(sum0, patch[7], weights0[7]);
        sum1 = ek_pair_add(sum1, patch[7], weights1[7]);
        patch += 8;
        weights0 += 8;
        weights1 += 8;
    }
#endif
    /* Compilers for cores with few registers do not keep a longer body in them. */
    for (; patch != end; patch++) {
        sum0 = ek_pair_add(sum0, *patch, *weights0++);
        sum1 = ek_pair_add(sum1, *patch, *weights1++);
    }
    sums->first0 = ek_pair_first(sum0);
    sums->second0 = ek_pair_second(sum0);
    sums->first1 = ek_pair_first(sum1);
    sums->second1 = ek_pair_second(sum1);
}

/* The same for any number of products, from `done` on. */
static void ek_conv_sum_more(const ek_pair *patch, const int8_t *weights0, const int8_t *weights1,
                             int32_t depth, int32_t done, ek_conv_sums *sums) {
    for (; done < depth; done += EK_PAIR_BLOCK) {
        ek_conv_sums more;
        more.size = depth - done < EK_PAIR_BLOCK ? depth - done : EK_PAIR_BLOCK;
        ek_conv_sum(patch + done, weights0 + done, weights1 + done, &more);
        sums->first0 += more.first0;
        sums->second0 += more.second0;
        sums->first1 += more.first1;
        sums->second1 += more.second1;
    }
}

/* All output channels of both pixels. The last one of an odd number is computed twice. */
static EK_NOINLINE void ek_conv_multiply(const ek_conv_group *group, const ek_pair *patch) {
    const int32_t depth = group->depth;
    const int8_t *weights0 = group->weights;
    ek_conv_sums sums;
    sums.size = depth < EK_PAIR_BLOCK ? depth : EK_PAIR_BLOCK;
    for (int32_t channel = 0; channel < group->channels; channel += 2) {
        const int32_t other = channel + 1 < group->channels ? channel + 1 : channel;
        const int8_t *weights1 = other > channel ? weights0 + depth : weights0;
        ek_conv_sum(patch, weights0, weights1, &sums);
        if (depth > EK_PAIR_BLOCK) {
            ek_conv_sum_more(patch, weights0, weights1, depth, EK_PAIR_BLOCK, &sums);
        }
        ek_pair_write(&group->output, channel, sums.first0, sums.second0);
        ek_pair_write(&group->output, other, sums.first1, sums.second1);
        weights0 += 2 * depth;
    }
}

/* Pairs of `size` bytes of either pixel. */
static EK_NOINLINE void ek_conv_join(const int8_t *first, const int8_t *second, int32_t size,
                                     ek_pair *patch) {
    for (const int8_t *end = first + (size & ~3); first != end; first += 4, second += 4) {
        patch[0] = ek_pair_of(first[0], second[0]);
        patch[1] = ek_pair_of(first[1], second[1]);
        patch[2] = ek_pair_of(first[2], second[2]);
        patch[3] = ek_pair_of(first[3], second[3]);
        patch += 4;
    }
    for (const int8_t *end = first + (size & 3); first != end;) {
        *patch++ = ek_pair_of(*first++, *second++);
    }
}

/* The same where NULL stands for bytes outside the image. */
static EK_NOINLINE void ek_conv_join_border(const int8_t *first, const int8_t *second, int32_t size,
                                            int32_t outside, ek_pair *patch) {
    for (int32_t i = 0; i < size; i++) {
        patch[i] =
            ek_pair_of(first != NULL ? first[i] : outside, second != NULL ? second[i] : outside);
    }
}

static inline const int8_t *ek_conv_pixel(const ek_conv_2d_params *params,
                                          const ek_conv_image *image, const int8_t *row,
                                          int32_t column) {
    const int inside = row != NULL && column >= 0 && column < image->input_width;
    return inside ? row + column * params->input_channels : NULL;
}

/* Collects what two pixels see whose filters start at (y, x0) and (y, x1); `input` is the image at
 * the group's first channel. */
static void ek_conv_gather(const ek_conv_2d_params *params, const ek_conv_image *image,
                           const int8_t *input, int32_t y, int32_t x0, int32_t x1, ek_pair *patch) {
    const int32_t channels = params->input_channels / params->groups;
    const int32_t last = x1 + (params->filter_width - 1) * params->dilation_width;
    const int in_one_piece =
        params->groups == 1 && params->dilation_width == 1 && x0 >= 0 && last < image->input_width;
    for (int32_t i = 0; i < params->filter_height; i++, y += params->dilation_height) {
        const int8_t *row = NULL;
        if (y >= 0 && y < image->input_height) {
            row = input + y * image->input_width * params->input_channels;
        }
        if (row != NULL && in_one_piece) {
            ek_conv_join(row + x0 * channels, row + x1 * channels, params->filter_width * channels,
                         patch);
            patch += params->filter_width * channels;
            continue;
        }
        int32_t column = 0;
        for (int32_t j = 0; j < params->filter_width; j++, column += params->dilation_width) {
            const int8_t *first = ek_conv_pixel(params, image, row, x0 + column);
            const int8_t *second = ek_conv_pixel(params, image, row, x1 + column);
            if (first != NULL && second != NULL) {
                ek_conv_join(first, second, channels, patch);
            } else {
                ek_conv_join_border(first, second, channels, params->input_zero_point, patch);
            }
            patch += channels;
        }
    }
}

/* All output channels of all groups of two pixels, which may be the same one. */
static void ek_conv_pixels(const ek_conv_2d_params *params, const ek_conv_image *image,
                           const int8_t *input, int32_t y, int32_t x0, int32_t x1,
                           ek_conv_group group, ek_pair *patch) {
    for (int32_t i = 0; i < params->groups; i++) {
        ek_conv_gather(params, image, input, y, x0, x1, patch);
        ek_conv_multiply(&group, patch);
        input += params->input_channels / params->groups;
        group.output.first += group.channels;
        group.output.second += group.channels;
        group.weights += group.channels * group.depth;
        group.output.bias += group.channels;
        group.output.multiplier += group.channels;
        group.output.shift += group.channels;
    }
}

static ek_conv_group ek_conv_first_group(const ek_conv_2d_params *params) {
    const int32_t taps = params->filter_height * params->filter_width;
    ek_conv_group group;
    group.channels = params->output_channels / params->groups;
    group.depth = taps * (params->input_channels / params->groups);
    group.weights = params->weights;
    group.output.bias = params->bias;
    group.output.multiplier = params->multiplier;
    group.output.shift = params->shift;
    group.output.zero_point = params->output_zero_point;
    group.output.low = params->activation_min;
    group.output.high = params->activation_max;
    group.output.first = NULL;
    group.output.second = NULL;
    return group;
}

static ek_conv_image ek_conv_walk(const ek_conv_2d_params *params) {
    ek_conv_image image;
    image.batches = params->batches;
    image.input_height = params->input_height;
    image.input_width = params->input_width;
    image.output_height = params->output_height;
    image.output_width = params->output_width;
    if (params->filter_height == 1 && params->filter_width == 1 && params->stride_height == 1 &&
        params->stride_width == 1 && params->output_height == params->input_height &&
        params->output_width == params->input_width) {
        image.batches = 1;
        image.input_height = 1;
        image.output_height = 1;
        image.input_width = params->batches * params->input_height * params->input_width;
        image.output_width = image.input_width;
    }
    return image;
}

void ek_conv_2d_s8(const ek_conv_2d_params *params, const int8_t *input, int8_t *output,
                   void *scratch) {
    const ek_conv_image image = ek_conv_walk(params);
    ek_conv_group group = ek_conv_first_group(params);
    for (int32_t batch = 0; batch < image.batches; batch++) {
        for (int32_t out_y = 0; out_y < image.output_height; out_y++) {
            const int32_t y = out_y * params->stride_height - params->pad_top;
            for (int32_t out_x = 0; out_x < image.output_width; out_x += 2) {
                const int32_t next = out_x + 1 < image.output_width ? 1 : 0;
                const int32_t x = out_x * params->stride_width - params->pad_left;
                group.output.first = output;
                group.output.second = output + next * params->output_channels;
                ek_conv_pixels(params, &image, input, y, x, x + next * params->stride_width, group,
                               scratch);
                output += (1 + next) * params->output_channels;
            }
        }
        input += image.input_height * image.input_width * params->input_channels;
    }
}
