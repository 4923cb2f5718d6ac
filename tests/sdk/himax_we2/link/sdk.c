/* Stands in for the WE2 SDK in a link whose sizes are measured and which is not run. */
#include "WE2_device.h"
#include "board.h"
#include "hx_drv_uart.h"

int main(void);
void Reset_Handler(void);

uint32_t SystemCoreClock = 400000000u;

extern uint32_t __StackTop[];

extern const void *const vectors[2];
__attribute__((section(".vectors"), used)) const void *const vectors[2] = {__StackTop, 0};

void Reset_Handler(void) {
    (void)main();
}

int board_init(void) {
    return 0;
}

void SystemGetTick(uint32_t *value, uint32_t *rounds) {
    *value = 0;
    *rounds = 0;
}

static int32_t control(uint32_t command, void *argument) {
    (void)command;
    (void)argument;
    return 0;
}

static int32_t put(const void *data, uint32_t size) {
    (void)data;
    return (int32_t)size;
}

static int32_t get(void *data, uint32_t size, void *callback) {
    (void)data;
    (void)size;
    (void)callback;
    return 0;
}

DEV_UART_PTR hx_drv_uart_get_dev(USE_DW_UART_E number) {
    static DEV_UART device;
    (void)number;
    device.uart_control = control;
    device.uart_write = put;
    device.uart_read_udma = get;
    return &device;
}
