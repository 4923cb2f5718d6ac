#include "sim_port.h"

#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_port.h"

#define SENT_BYTES (1u << 20)

uint32_t sim_crc_table[256];
uint64_t sim_ticks;

static struct {
    size_t arrived; /* bytes in the receive ring; a plain buffer does for a ring here */
    size_t sent;
    size_t overflow;
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

void ek_port_write(const uint8_t *data, size_t size) {
    if (size <= SENT_BYTES - port.sent) {
        memcpy(port.out + port.sent, data, size);
        port.sent += size;
    }
}

uint64_t ek_port_ticks(void) {
    return sim_ticks += 7;
}

void sim_reset(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
        }
        sim_crc_table[i] = crc;
    }
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
