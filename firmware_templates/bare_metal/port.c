/* The serial line: the receive interrupt fills a ring, and the processor sleeps while it is empty.
 */
#include "ek_port.h"

#include "ek_config.h"
#include "machine.h"

/* One more than the window: a full ring differs from an empty one by it. */
#define RING_BYTES (EK_RX_WINDOW + 1u)

static struct {
    volatile uint32_t head; /* the next byte to read; moved by ek_port_read alone */
    volatile uint32_t tail; /* the next free place; moved by the interrupt alone */
    uint8_t bytes[RING_BYTES];
} ring;

static uint32_t after(uint32_t place) {
    return place + 1u < RING_BYTES ? place + 1u : 0u;
}

void machine_received(uint8_t byte) {
    const uint32_t tail = ring.tail;
    const uint32_t next = after(tail);
    if (next !=
        ring.head) { /* else the host sent more than it was granted: the protocol repeats it */
        ring.bytes[tail] = byte;
        ring.tail = next;
    }
}

void ek_port_init(void) {
    machine_init();
}

size_t ek_port_read(uint8_t *data, size_t size) {
    /* Looked at with interrupts held back: a byte that comes between the look and the sleep ends
     * the sleep. */
    machine_lock();
    while (ring.head == ring.tail) {
        machine_sleep();
        machine_unlock();
        machine_lock();
    }
    machine_unlock();
    size_t count = 0;
    while (count < size && ring.head != ring.tail) {
        const uint32_t head = ring.head;
        data[count++] = ring.bytes[head];
        ring.head = after(head);
    }
    return count;
}

bool ek_port_pending(void) {
    return ring.head != ring.tail;
}

void ek_port_write(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        machine_send(data[i]);
    }
}

uint64_t ek_port_ticks(void) {
    return machine_ticks();
}
