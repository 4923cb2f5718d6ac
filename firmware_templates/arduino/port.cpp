/* The port over Arduino's Serial, which the sketch has begun. */

#include <Arduino.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include "ek_port.h"
}

/* So long without a byte accepted, and nobody is listening: the rest of the packet is lost. */
static const uint32_t STUCK_MS = 1000;

void ek_port_init(void) {
}

size_t ek_port_read(uint8_t *data, size_t size) {
    size_t count = 0;
    while (count < size && Serial.available() > 0) {
        const int byte = Serial.read();
        if (byte < 0) {
            break;
        }
        data[count++] = static_cast<uint8_t>(byte);
    }
    return count;
}

void ek_port_write(const uint8_t *data, size_t size) {
    uint32_t since = static_cast<uint32_t>(millis());
    while (size > 0) {
        const size_t sent = Serial.write(data, size);
        const uint32_t now = static_cast<uint32_t>(millis());
        if (sent > 0) {
            data += sent;
            size -= sent;
            since = now;
        } else if (now - since > STUCK_MS) {
            return;
        }
    }
}

/* micros() counts 32 bits, 71 minutes; the upper half counts how often it began again. */
uint64_t ek_port_ticks(void) {
    static uint32_t last = 0;
    static uint32_t rounds = 0;
    const uint32_t now = static_cast<uint32_t>(micros());
    if (now < last) {
        rounds++;
    }
    last = now;
    return static_cast<uint64_t>(rounds) << 32 | now;
}
