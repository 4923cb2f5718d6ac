/* What the firmware uses of the WE2 SDK's header of this name, in our words. */
#ifndef HX_DRV_UART_H
#define HX_DRV_UART_H

#include <stdint.h>

#define UART_CMD_SET_BAUD 0

typedef enum { USE_DW_UART_0 = 0 } USE_DW_UART_E;

typedef struct {
    int32_t (*uart_control)(uint32_t command, void *argument);
    int32_t (*uart_write)(const void *data, uint32_t size);
    int32_t (*uart_read_udma)(void *data, uint32_t size, void *callback);
} DEV_UART, *DEV_UART_PTR;

DEV_UART_PTR hx_drv_uart_get_dev(USE_DW_UART_E number);

#endif
