/* Stands in for the WE1 SDK in a link whose sizes are measured and which is not run. */

#include "hx_drv_iomux.h"
#include "hx_drv_timer.h"
#include "hx_drv_uart.h"

int main(void);
void _arc_reset(void);

__attribute__((section(".init"))) void _arc_reset(void) {
    (void)main();
}

static int32_t control(uint32_t command, void *argument) {
    (void)command;
    (void)argument;
    return 0;
}

DEV_UART_PTR hx_drv_uart_get_dev(USE_SS_UART_E number) {
    static DEV_UART device;
    (void)number;
    device.uart_control = control;
    return &device;
}

IOMUX_ERROR_E hx_drv_iomux_set_pmux(IOMUX_INDEX_E pin, uint8_t function) {
    (void)pin;
    (void)function;
    return IOMUX_NO_ERROR;
}

IOMUX_ERROR_E hx_drv_iomux_set_outvalue(IOMUX_INDEX_E pin, uint8_t value) {
    (void)pin;
    (void)value;
    return IOMUX_NO_ERROR;
}

uint64_t board_get_cur_us(void) {
    return 0;
}
