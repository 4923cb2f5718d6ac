/* Runs port.c on this machine against a driver that does what the WE2 SDK's header says of its own:
 * a transfer by DMA is given a place, a length and a callback, which says that it is over. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "WE2_device.h"
#include "ek_config.h"
#include "ek_port.h"
#include "hx_drv_uart.h"

int main(void);

uint32_t SystemCoreClock = 400000000u;

static DEV_UART device;
static uint8_t *landing;
static void *callback;
static uint8_t sent[300];
static size_t sent_count;

typedef struct {
    uint32_t value;
    uint32_t rounds;
} reading;

static const reading *clock_script;

static void receive(uint8_t byte) {
    void (*function)(void *);
    uint8_t *place = landing;
    assert(place != NULL);
    landing = NULL;
    *place = byte;
    memcpy(&function, &callback, sizeof function);
    function(NULL);
}

static int32_t read_udma(void *data, uint32_t size, void *done) {
    assert(landing == NULL && size == 1 && (uintptr_t)data % 32 == 0);
    landing = data;
    callback = done;
    return 0;
}

static int32_t put(const void *data, uint32_t size) {
    assert(sent_count + size <= sizeof sent);
    memcpy(sent + sent_count, data, size);
    sent_count += size;
    receive(0x5a); /* the host talks while the device does */
    return (int32_t)size;
}

static int32_t control(uint32_t command, void *argument) {
    (void)command;
    (void)argument;
    assert(0); /* nothing to set at 921600 baud */
    return -1;
}

DEV_UART_PTR hx_drv_uart_get_dev(USE_DW_UART_E number) {
    assert(number == USE_DW_UART_0);
    device.uart_control = control;
    device.uart_write = put;
    device.uart_read_udma = read_udma;
    return &device;
}

void SystemGetTick(uint32_t *value, uint32_t *rounds) {
    *value = clock_script->value;
    *rounds = clock_script->rounds;
    clock_script++;
}

static uint64_t ticks(const reading *script, size_t readings) {
    clock_script = script;
    const uint64_t now = ek_port_ticks();
    assert(clock_script == script + readings);
    return now;
}

static void check_ring(void) {
    static uint8_t got[EK_RX_WINDOW + 8];
    /* More than it may hold: the rest is dropped. */
    for (size_t i = 0; i < EK_RX_WINDOW + 5u; i++) {
        receive((uint8_t)(i * 7u));
    }
    assert(ek_port_read(got, 3) == 3);
    assert(ek_port_read(got + 3, sizeof got - 3) == EK_RX_WINDOW - 3u);
    for (size_t i = 0; i < EK_RX_WINDOW; i++) {
        assert(got[i] == (uint8_t)(i * 7u));
    }
}

static void check_write(void) {
    uint8_t out[200];
    uint8_t got[8];
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = (uint8_t)(i ^ 0x33u);
    }
    ek_port_write(out, sizeof out);
    assert(sent_count == sizeof out && memcmp(sent, out, sizeof out) == 0);
    assert(ek_port_read(got, sizeof got) == 1 && got[0] == 0x5a);
}

static void check_clock(void) {
    static const reading start[] = {{0xffffff, 0}, {0xffffff, 0}};
    static const reading plain[] = {{0xffffff - 400, 0}, {0xffffff - 800, 0}};
    /* The counter has started again, and its interrupt comes after the first reading. */
    static const reading late[] = {{0xfffff0, 4}, {0xffffe0, 5}, {0xffffd0, 5}};
    /* The interrupt is still pending at the second reading. */
    static const reading pending[] = {{3, 8}, {0xfffff0, 8}, {0xffffef, 9}, {0xffffee, 9}};
    assert(ticks(start, 2) == 0);
    assert(ticks(plain, 2) == 1);
    assert(ticks(late, 3) == (5u * 0x1000000ull + 0x20 + 0xf) / 400);
    assert(ticks(pending, 4) == (9u * 0x1000000ull + 0x10) / 400);
    SystemCoreClock = 100000000u;
    assert(ticks(plain, 2) == 4);
}

int main(void) {
    ek_port_init();
    check_ring();
    check_write();
    check_clock();
    puts("ok");
    return 0;
}
