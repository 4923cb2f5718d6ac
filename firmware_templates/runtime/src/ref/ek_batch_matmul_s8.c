/* BATCH_MATMUL of two activations. Rounds twice. */
#include "ek_nn.h"

static int8_t *ek_matmul(const ek_batch_matmul_params *params, const int8_t *left,
                         const int8_t *right, int8_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        for (int32_t column = 0; column < params->columns; column++) {
            const int8_t *x = left + row * params->left_row_stride;
            const int8_t *y = right + column * params->right_column_stride;
            int32_t acc = 0;
            for (int32_t i = 0; i < params->depth; i++) {
                acc += (*x - params->left_zero_point) * (*y - params->right_zero_point);
                x += params->left_depth_stride;
                y += params->right_depth_stride;
            }
            const int32_t scaled = ek_requantize_twice(acc, params->multiplier, params->shift);
            *output++ = (int8_t)ek_clamp(ek_add_wrap(scaled, params->output_zero_point), INT8_MIN,
                                         INT8_MAX);
        }
    }
    return output;
}

void ek_batch_matmul_s8(const ek_batch_matmul_params *params, const int8_t *left,
                        const int8_t *right, int8_t *output, void *scratch) {
    (void)scratch;
    for (int32_t i = 0; i < params->batch[0]; i++) {
        for (int32_t j = 0; j < params->batch[1]; j++) {
            for (int32_t k = 0; k < params->batch[2]; k++) {
                const int8_t *x = left + i * params->left_stride[0] + j * params->left_stride[1] +
                                  k * params->left_stride[2];
                const int8_t *y = right + i * params->right_stride[0] +
                                  j * params->right_stride[1] + k * params->right_stride[2];
                output = ek_matmul(params, x, y, output);
            }
        }
    }
}
