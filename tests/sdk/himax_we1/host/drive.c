/* Runs port.c on this machine against a driver that does what the WE1 SDK's does: a read or a write
 * is given a place and a length, interrupts serve it, and a callback says that it is over. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ek_config.h"
#include "ek_port.h"
#include "hx_drv_iomux.h"
#include "hx_drv_timer.h"
#include "hx_drv_uart.h"

int main(void);

static DEV_UART device;
static DEV_BUFFER *wanted; /* by the read in progress */
static uint32_t wanted_size;
static uint8_t sent[300];
static size_t sent_count;
static uintptr_t baud;
static int pin_level = -1;
static int pin_function = -1;
static const uint64_t *clock_script;

static void receive(uint8_t byte) {
    DEV_BUFFER *place = wanted;
    assert(place != NULL && wanted_size == 1);
    wanted = NULL;
    *(uint8_t *)place->buf = byte;
    device.uart_info.uart_cbs.rx_cb(NULL);
}

/* A break, or an interrupt without a cause: the read ends early, with its length corrected. */
static void interrupt_without_byte(void) {
    DEV_BUFFER *place = wanted;
    wanted = NULL;
    place->len = 0;
    device.uart_info.uart_cbs.rx_cb(NULL);
}

static void error(void) {
    wanted = NULL;
    device.uart_info.uart_cbs.err_cb(NULL);
}

static int32_t control(uint32_t command, void *argument) {
    DEV_BUFFER *place = argument;
    switch (command) {
    case UART_CMD_SET_BAUD:
        baud = (uintptr_t)argument;
        return 0;
    case UART_CMD_SET_RXINT_BUF:
        assert(wanted == NULL && place->ofs == 0);
        wanted = place;
        wanted_size = place->len;
        return 0;
    case UART_CMD_SET_TXINT_BUF:
        assert(place->len > 0 && sent_count + place->len <= sizeof sent);
        memcpy(sent + sent_count, place->buf, place->len);
        sent_count += place->len;
        receive(0x5a); /* the host talks while the device does */
        device.uart_info.uart_cbs.tx_cb(NULL);
        return 0;
    default:
        assert(0);
        return -1;
    }
}

DEV_UART_PTR hx_drv_uart_get_dev(USE_SS_UART_E number) {
    assert(number == USE_SS_UART_1);
    device.uart_control = control;
    device.uart_info.transfer_mode = UART_TRANSFER_DMA;
    return &device;
}

IOMUX_ERROR_E hx_drv_iomux_set_pmux(IOMUX_INDEX_E pin, uint8_t function) {
    assert(pin == IOMUX_PGPIO8);
    pin_function = function;
    return IOMUX_NO_ERROR;
}

IOMUX_ERROR_E hx_drv_iomux_set_outvalue(IOMUX_INDEX_E pin, uint8_t value) {
    assert(pin == IOMUX_PGPIO8);
    pin_level = value;
    return IOMUX_NO_ERROR;
}

uint64_t board_get_cur_us(void) {
    return *clock_script++;
}

static uint64_t ticks(const uint64_t *script, size_t readings) {
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
        if (i % 100 == 0) {
            interrupt_without_byte();
            error();
        }
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
    assert(ek_port_read(got, sizeof got) == 4 && got[0] == 0x5a && got[3] == 0x5a);
}

static void check_clock(void) {
    static const uint64_t plain[] = {1000, 1001};
    static const uint64_t first_glitch[] = {1000999990, 999995, 999996};
    static const uint64_t second_glitch[] = {1999990, 2999999, 2000003, 2000004};
    static const uint64_t end[] = {4294967295000u, 4294967295001u};
    static const uint64_t again[] = {5, 6};
    assert(ticks(plain, 2) == 1001);
    assert(ticks(first_glitch, 3) == 999996);
    assert(ticks(second_glitch, 4) == 2000004);
    assert(ticks(end, 2) == 4294967295001u);
    assert(ticks(again, 2) == 4294967296000u + 6u);
}

int main(void) {
    ek_port_init();
    assert(baud == 921600 && pin_level == 0 && pin_function == 3);
    assert(device.uart_info.transfer_mode == UART_TRANSFER_INT);
    check_ring();
    check_write();
    check_clock();
    puts("ok");
    return 0;
}
