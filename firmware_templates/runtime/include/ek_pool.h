/* What the two pooling kernels share: the part of a window that lies inside the image. */
#ifndef EK_POOL_H
#define EK_POOL_H

#include "ek_nn.h"

typedef struct {
    int32_t top;
    int32_t left;
    int32_t height;
    int32_t width;
} ek_pool_window;

/* Every window has at least one pixel inside: the host refuses others. */
static inline ek_pool_window ek_pool_window_at(const ek_pool_2d_params *params, int32_t out_y,
                                               int32_t out_x) {
    const int32_t y = out_y * params->stride_height - params->pad_top;
    const int32_t x = out_x * params->stride_width - params->pad_left;
    const int32_t bottom = ek_clamp(y + params->filter_height, 0, params->input_height);
    const int32_t right = ek_clamp(x + params->filter_width, 0, params->input_width);
    ek_pool_window window;
    window.top = y < 0 ? 0 : y;
    window.left = x < 0 ? 0 : x;
    window.height = bottom - window.top;
    window.width = right - window.left;
    return window;
}

#endif
