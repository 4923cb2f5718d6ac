/* The port of the simulated device: its serial line is two buffers that the test fills and empties.
 */

#ifndef SIM_PORT_H
#define SIM_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Power on, or reset: what was on its way in is lost. */
void sim_reset(void);

/* Bytes arrive: the part that the receive ring cannot take is lost. Then the device runs until it
 * idles. */
void sim_arrive(const uint8_t *data, size_t size);

/* The device runs so many rounds of its loop. */
void sim_poll(size_t rounds);

/* The same as sim_arrive without running: the device is busy. */
void sim_queue(const uint8_t *data, size_t size);

/* Take up to `size` bytes that the device has sent. */
size_t sim_take(uint8_t *data, size_t size);

/* Bytes that the receive ring had no room for since the start. */
size_t sim_overflow(void);

/* What is wrong with the camera from now on, where there is one. */
enum { SIM_CAMERA_WORKS = 0, SIM_CAMERA_SILENT = 1, SIM_CAMERA_SMALL = 2 };
void sim_camera(int fault);

#endif
