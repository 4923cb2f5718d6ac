/* The board's own camera. What a family provides beside ek_port.h, if it has one. */

#ifndef EK_CAMERA_H
#define EK_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

/* A picture as sensors give it: RGB565, two bytes a pixel, the one with the red bits first; row by
 * row without gaps. */
typedef struct {
    const uint8_t *pixels;
    uint32_t width;
    uint32_t height;
} ek_picture;

/* What a frame is: its size, and its channels. */
enum { EK_GRAY = 0, EK_RED_FIRST = 1, EK_BLUE_FIRST = 2 };
typedef struct {
    uint32_t width;
    uint32_t height;
    int order;
} ek_frame_shape;

/* Take the next picture; starts the camera when it is called first. It stays until
 * ek_camera_give_back. Returns false where the camera does not answer. */
bool ek_camera_take(ek_picture *picture);

/* Give the last picture's memory back to the camera. */
void ek_camera_give_back(void);

/* Whether ek_port_read would return bytes at once. */
bool ek_port_pending(void);

/* Make a frame of a picture, in whole numbers, so that every machine makes the same one: the middle
 * of the picture, as large as a whole multiple of the frame, each of whose pixels is the rounded
 * mean of a square. Gray is 0.299 red + 0.587 green + 0.114 blue, as Pillow computes it. Returns
 * false where the picture is smaller than the frame. */
bool ek_picture_to_frame(const ek_picture *picture, const ek_frame_shape *shape, uint8_t *frame);

#endif
