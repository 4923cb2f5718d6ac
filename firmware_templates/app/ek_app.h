/* The firmware application: a serial protocol in front of one model. Each folder beside this file
 * is one protocol: docs/reference/protocol.md or docs/reference/mlperf-tiny.md. */

#ifndef EK_APP_H
#define EK_APP_H

#include <stdbool.h>
#include <stdint.h>

/* Start the port and announce the device. May be called again: the device then starts afresh. */
void ek_app_init(void);

/* Handle what has arrived, frames included, and return. To be called for ever. */
void ek_app_poll(void);

/* Ticks of ek_port_ticks that one frame took. */
typedef struct {
    uint64_t preprocess;
    uint64_t invoke;
} ek_app_times;

/* Run one frame of EK_MODEL_INPUT_BYTES without the protocol: raw pixels (only if the model takes
 * them), or an int8 tensor. Returns EK_MODEL_OUTPUT_BYTES scores, which stay until the next run. */
const int8_t *ek_app_classify(const uint8_t *frame, bool pixels, ek_app_times *times);

/* The scores of the last run; before the first one they are 0. */
const int8_t *ek_app_scores(void);

#ifdef EK_TRACE
/* The model calls it after every step: keeps the CRC-32 of the step's output for the TRACE packet.
 */
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);
#endif

#endif
