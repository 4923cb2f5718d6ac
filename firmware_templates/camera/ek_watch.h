/* Predictions on what the board's own camera sees; docs/reference/protocol.md describes the
 * packets. */

#ifndef EK_WATCH_H
#define EK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ek_camera.h"
#include "ek_frame.h"

/* No predictions are wanted, and they are numbered from 0 again. */
void ek_watch_init(void);

/* From now on make `count` predictions, and send the frame of each `every`th with it (0: of none).
 */
void ek_watch_start(uint32_t count, uint32_t every);

/* Make one prediction and send it. Returns false at once if none is wanted. */
bool ek_watch_poll(ek_sender *sender);

#endif
