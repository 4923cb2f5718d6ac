#include "sim_port.h"

#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_port.h"

#define SENT_BYTES (1u << 20)

static struct {
    size_t arrived; /* bytes in the receive ring; a plain buffer does for a ring here */
    size_t sent;
    size_t overflow;
    uint64_t ticks;
    uint8_t ring[EK_RX_WINDOW];
    uint8_t out[SENT_BYTES];
} port;

void ek_port_init(void) {
}

size_t ek_port_read(uint8_t *data, size_t size) {
    const size_t count = port.arrived < size ? port.arrived : size;
    memcpy(data, port.ring, count);
    memmove(port.ring, port.ring + count, port.arrived - count);
    port.arrived -= count;
    return count;
}

bool ek_port_pending(void) {
    return port.arrived > 0;
}

void ek_port_write(const uint8_t *data, size_t size) {
    if (size <= SENT_BYTES - port.sent) {
        memcpy(port.out + port.sent, data, size);
        port.sent += size;
    }
}

uint64_t ek_port_ticks(void) {
    return port.ticks += 7;
}

void sim_reset(void) {
    port.arrived = 0;
    ek_app_init();
}

void sim_queue(const uint8_t *data, size_t size) {
    const size_t room = EK_RX_WINDOW - port.arrived;
    const size_t count = size < room ? size : room;
    memcpy(port.ring + port.arrived, data, count);
    port.arrived += count;
    port.overflow += size - count;
}

void sim_arrive(const uint8_t *data, size_t size) {
    sim_queue(data, size);
    while (port.arrived > 0) {
        ek_app_poll();
    }
}

void sim_poll(size_t rounds) {
    for (; rounds > 0; rounds--) {
        ek_app_poll();
    }
}

size_t sim_take(uint8_t *data, size_t size) {
    const size_t count = port.sent < size ? port.sent : size;
    memcpy(data, port.out, count);
    memmove(port.out, port.out + count, port.sent - count);
    port.sent -= count;
    return count;
}

size_t sim_overflow(void) {
    return port.overflow;
}
