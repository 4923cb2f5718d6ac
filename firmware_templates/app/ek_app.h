/* The firmware application: a serial protocol in front of one model. Each folder beside this file
 * is one protocol: docs/reference/protocol.md or docs/reference/mlperf-tiny.md. */

#ifndef EK_APP_H
#define EK_APP_H

/* Start the port and announce the device. May be called again: the device then starts afresh. */
void ek_app_init(void);

/* Handle what has arrived, frames included, and return. To be called for ever. */
void ek_app_poll(void);

#ifdef EK_TRACE
#include <stdint.h>

/* The model calls it after every step: keeps the CRC-32 of the step's output for the TRACE packet.
 */
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size);
#endif

#endif
