/* What a board family provides: four functions, and a fifth where there is a camera. Everything
 * above them is portable C. */

#ifndef EK_PORT_H
#define EK_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start clocks, the serial line and the tick counter. Called once, before anything else. */
void ek_port_init(void);

/* Copy up to `size` bytes that have arrived into `data` and return how many.
 *
 * May wait for the first byte (and let the processor sleep), never for more. What arrives while the
 * model runs must not be lost: the port keeps at least EK_RX_WINDOW bytes, usually in a ring that
 * the receive interrupt fills. The host never sends more than that before it is acknowledged.
 */
size_t ek_port_read(uint8_t *data, size_t size);

/* Whether ek_port_read would return bytes at once. Only called where there is a camera. */
bool ek_port_pending(void);

/* Send all of `data`; may wait until it is accepted. */
void ek_port_write(const uint8_t *data, size_t size);

/* A counter that only grows, in the unit that EK_TICKS_UNIT names. */
uint64_t ek_port_ticks(void);

#endif
