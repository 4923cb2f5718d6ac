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

/* Why a network could not be started or run; docs/reference/protocol.md says more. A `compiled` one
 * never fails. */
enum {
    EK_MODEL_VERSION = 1,   /* its .tflite has a schema that the runtime does not know */
    EK_MODEL_OPERATORS = 2, /* an operator could not be registered */
    EK_MODEL_ARENA = 3,     /* the arena is too small, or an operator refuses its tensors */
    EK_MODEL_TENSORS = 4,   /* input or output are not those that the firmware was generated for */
    EK_MODEL_INVOKE = 5,    /* an operator failed while it ran */
    /* Only where the model has a flash partition of its own. */
    EK_MODEL_NOT_STORED = 6, /* there is no whole model in it */
    EK_MODEL_OTHER = 7,      /* the model in it is for other firmware */
};

/* Ticks of ek_port_ticks that one frame took, and how it ended: 0, or why there are no scores. */
typedef struct {
    uint64_t preprocess;
    uint64_t invoke;
    int32_t failure;
} ek_app_times;

/* Run one frame of EK_MODEL_INPUT_BYTES without the protocol: raw pixels (only if the model takes
 * them), or an int8 tensor. Returns EK_MODEL_OUTPUT_BYTES scores, which stay until the next run, or
 * NULL where the network failed. */
const int8_t *ek_app_classify(const uint8_t *frame, bool pixels, ek_app_times *times);

/* The scores of the last run that did not fail; before the first one they are 0, or NULL where the
 * network has not started. */
const int8_t *ek_app_scores(void);

#ifdef EK_TRACE
/* The model calls it after every step: keeps the CRC-32 of the step's output for the TRACE packet.
 */
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);
#endif

#endif
