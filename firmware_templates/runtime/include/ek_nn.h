/* The int8 kernels of edgekit: one function per operator, generated code calls them in order.
 *
 * Rules that hold for all of them:
 * - Tensors are dense and row-major, images are NHWC. All sizes are in elements.
 * - The caller owns all memory. Input and output either do not touch, or the input begins at least
 *   the distance behind the output's beginning that the host computed (edgekit/ops/_overlap.py):
 *   a kernel writes its output in ascending order, and what it then writes over, it has read.
 *   Pointers are therefore never `restrict`. `scratch` is as large as the host computed, 16-byte
 *   aligned, and NULL where the kernel needs none; it touches nothing, and its bytes are undefined
 *   before and after.
 * - The host has checked every shape, and that no accumulator overflows; kernels check nothing.
 * - No floating point, no allocation, no state.
 * - A quantised value q stands for scale * (q - zero_point). Biases that are passed to a kernel
 *   include the term of the input's zero point (bias - zero_point * sum of weights), so that a
 *   kernel multiplies raw bytes; outside the image the input is its zero point. */
#ifndef EK_NN_H
#define EK_NN_H

#include <stddef.h>
#include <stdint.h>

#include "ek_requantize.h"

/* CONV_2D. Rounds twice. Weights [output_channels][filter_height][filter_width][input_channels /
 * groups]. Scratch: 4 * filter_height * filter_width * input_channels / groups bytes. */
typedef struct {
    int32_t batches;
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t output_channels;
    int32_t filter_height;
    int32_t filter_width;
    int32_t groups;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;  /* rows of padding above the image */
    int32_t pad_left; /* columns of padding left of it */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;
    const int32_t *bias;       /* per output channel, zero point folded in */
    const int32_t *multiplier; /* per output channel */
    const int8_t *shift;       /* per output channel */
} ek_conv_2d_params;

void ek_conv_2d_s8(const ek_conv_2d_params *params, const int8_t *input, int8_t *output,
                   void *scratch);

/* DEPTHWISE_CONV_2D. Rounds twice. Weights [filter_height][filter_width][input_channels *
 * depth_multiplier]. Scratch: NULL when no output looks outside the image, else filter_height *
 * ((filter_width - 1) * dilation_width + 1 + stride_width) * input_channels bytes, the last term of
 * the sum only for images of more than one column. */
typedef struct {
    int32_t batches;
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t depth_multiplier;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;
    const int32_t *bias;       /* per output channel, zero point folded in */
    const int32_t *multiplier; /* per output channel */
    const int8_t *shift;       /* per output channel */
} ek_depthwise_conv_2d_params;

void ek_depthwise_conv_2d_s8(const ek_depthwise_conv_2d_params *params, const int8_t *input,
                             int8_t *output, void *scratch);

/* FULLY_CONNECTED. Rounds once. Weights [output_depth][input_depth]. No scratch. */
typedef struct {
    int32_t batches; /* rows of the input */
    int32_t input_depth;
    int32_t output_depth;
    int32_t channel_step; /* 1: multipliers per output; 0: the first one serves all */
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;
    const int32_t *bias;           /* per output, zero point folded in */
    const int32_t *multiplier;     /* integer part of the multiplier */
    const int32_t *multiplier_low; /* 31 further bits of it */
    const int8_t *shift;           /* right shift, 1..62 */
} ek_fully_connected_params;

void ek_fully_connected_s8(const ek_fully_connected_params *params, const int8_t *input,
                           int8_t *output, void *scratch);

/* MEAN over the middle of [outer][reduced][inner]. Rounds twice, with 1 / reduced inside the
 * multiplier. No scratch. */
typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t bias; /* -reduced * zero point of the input */
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
} ek_mean_params;

void ek_mean_s8(const ek_mean_params *params, const int8_t *input, int8_t *output, void *scratch);

/* MEAN over dimensions that are not neighbours: for each place of the kept dimensions, the sum over
 * the reduced ones. Strides in elements. Otherwise as ek_mean_s8. */
typedef struct {
    int32_t kept_size[3];
    int32_t kept_stride[3];
    int32_t reduced_size[3];
    int32_t reduced_stride[3];
    int32_t bias; /* -(elements of one mean) * zero point of the input */
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
} ek_mean_axes_params;

void ek_mean_axes_s8(const ek_mean_axes_params *params, const int8_t *input, int8_t *output,
                     void *scratch);

/* AVERAGE_POOL_2D and MAX_POOL_2D. Padding takes no part: the average is over the pixels inside the
 * image, rounded to the nearest, ties away from zero. Input and output have the same scale. No
 * scratch. */
typedef struct {
    int32_t batches;
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t activation_min;
    int32_t activation_max;
} ek_pool_2d_params;

void ek_average_pool_2d_s8(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                           void *scratch);
void ek_max_pool_2d_s8(const ek_pool_2d_params *params, const int8_t *input, int8_t *output,
                       void *scratch);

/* PAD of a tensor of up to four dimensions (missing ones in front have size 1). No scratch. */
typedef struct {
    int32_t input_size[4];
    int32_t before[4];
    int32_t after[4];
    int32_t value; /* the zero point */
} ek_pad_params;

void ek_pad_s8(const ek_pad_params *params, const int8_t *input, int8_t *output, void *scratch);

/* SOFTMAX over the last dimension. Rounds twice. The output's scale is 1/256, its zero point -128.
 * No scratch. */
typedef struct {
    int32_t rows;
    int32_t depth;
    int32_t exponentials_size;   /* 1..256 */
    const int32_t *exponentials; /* Q0.31, by difference from the row's largest value */
} ek_softmax_params;

void ek_softmax_s8(const ek_softmax_params *params, const int8_t *input, int8_t *output,
                   void *scratch);

/* Unary operators, element by element: the output of each input byte. May work in place. No
 * scratch. */
typedef struct {
    int32_t size;
    const int8_t *table; /* 256 entries, by the input's byte taken as unsigned */
} ek_lookup_params;

void ek_lookup_s8(const ek_lookup_params *params, const int8_t *input, int8_t *output,
                  void *scratch);

/* ADD, MUL, SUB and SQUARED_DIFFERENCE of two tensors, or of a tensor and a constant, with
 * broadcasting: the output is size[0] x ... x size[3], and an operand's stride is 0 where it is
 * repeated. Each rounds twice: MUL its product, the others each operand (brought to twice the
 * larger scale with 20 or 7 more bits) and the result. The output may lie over an operand that is
 * not repeated. No scratch. */
typedef struct {
    const int8_t *constant; /* the constant operand of ek_..._constant_s8, else NULL */
    int32_t constant_place; /* 0: it is the first operand, 1: the second, as it always is for ADD */
    int32_t size[4];
    int32_t input1_stride[4]; /* the last is 0 or 1 */
    int32_t input2_stride[4]; /* the last is 0 or 1 */
    int32_t input1_zero_point;
    int32_t input1_multiplier; /* unused by MUL, as the shift */
    int32_t input1_shift;
    int32_t input2_zero_point;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
} ek_binary_params;

void ek_add_s8(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
               int8_t *output, void *scratch);
void ek_add_constant_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                        void *scratch);
void ek_mul_s8(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
               int8_t *output, void *scratch);
void ek_mul_constant_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                        void *scratch);
void ek_sub_s8(const ek_binary_params *params, const int8_t *input1, const int8_t *input2,
               int8_t *output, void *scratch);
void ek_sub_constant_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                        void *scratch);
void ek_squared_difference_s8(const ek_binary_params *params, const int8_t *input1,
                              const int8_t *input2, int8_t *output, void *scratch);
void ek_squared_difference_constant_s8(const ek_binary_params *params, const int8_t *input,
                                       int8_t *output, void *scratch);

/* PRELU with constant slopes: operand 2 is `constant`. Rounds twice: input1's multiplier serves
 * values from zero on, input2's the products below. May work in place. No scratch. */
void ek_prelu_s8(const ek_binary_params *params, const int8_t *input, int8_t *output,
                 void *scratch);

/* TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT and SPLIT_V: the output in order, from an input walked in
 * any steps. May work in place where every stride reaches beyond the dimensions behind it. No
 * scratch. */
typedef struct {
    int32_t start; /* element of the input where the walk begins */
    int32_t size[6];
    int32_t stride[6]; /* elements of the input, negative to walk backwards */
} ek_strided_copy_params;

void ek_strided_copy_s8(const ek_strided_copy_params *params, const int8_t *input, int8_t *output,
                        void *scratch);

/* GATHER along the middle of [outer][size][inner]. No scratch. */
typedef struct {
    int32_t outer;
    int32_t size;
    int32_t inner;
    int32_t count;
    const int32_t *indices; /* count of them, 0 .. size - 1 */
} ek_gather_params;

void ek_gather_s8(const ek_gather_params *params, const int8_t *input, int8_t *output,
                  void *scratch);

/* CONCATENATION: for each of `outer`, one run of bytes from every part. No scratch. */
typedef struct {
    int32_t outer;
    int32_t parts;
    const int32_t *sizes;    /* bytes of each part's run; negative: the part is a constant */
    const int8_t *constants; /* the constant parts, one behind the other, or NULL */
} ek_concatenation_params;

void ek_concatenation_s8(const ek_concatenation_params *params, const int8_t *const *inputs,
                         int8_t *output, void *scratch);

/* BATCH_MATMUL [rows][depth] by [depth][columns] of two activations. Rounds twice. A stride of 0
 * repeats an operand along a batch dimension. No scratch. */
typedef struct {
    int32_t batch[3];
    int32_t left_stride[3];
    int32_t right_stride[3];
    int32_t rows;
    int32_t columns;
    int32_t depth;
    int32_t left_row_stride;
    int32_t left_depth_stride;
    int32_t right_depth_stride;
    int32_t right_column_stride;
    int32_t left_zero_point;
    int32_t right_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} ek_batch_matmul_params;

void ek_batch_matmul_s8(const ek_batch_matmul_params *params, const int8_t *left,
                        const int8_t *right, int8_t *output, void *scratch);

/* RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: `rows` and `columns` say where each output row and
 * column comes from. RESIZE_NEAREST_NEIGHBOR has one number for each. RESIZE_BILINEAR has three:
 * the lower and the upper neighbour, and the weight of the upper one in 1/1024; it rounds once,
 * ties away from zero. No scratch. */
typedef struct {
    int32_t batches;
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    const int32_t *rows;
    const int32_t *columns;
} ek_resize_params;

void ek_resize_nearest_neighbor_s8(const ek_resize_params *params, const int8_t *input,
                                   int8_t *output, void *scratch);
void ek_resize_bilinear_s8(const ek_resize_params *params, const int8_t *input, int8_t *output,
                           void *scratch);

#endif
