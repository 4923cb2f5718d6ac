/* What the firmware uses of the WE1 SDK's header of this name, in our words. */
#ifndef HX_DRV_UART_H
#define HX_DRV_UART_H

#include <stdint.h>

#define UART_CMD_SET_BAUD 0
#define UART_CMD_SET_TXINT_BUF 14
#define UART_CMD_SET_RXINT_BUF 15

typedef enum { USE_SS_UART_0 = 0, USE_SS_UART_1 = 1 } USE_SS_UART_E;
typedef enum { UART_TRANSFER_INT = 0, UART_TRANSFER_DMA = 1 } UART_TRANSFER_MODE;

typedef void (*DEV_CALLBACK)(void *);

typedef struct {
    void *buf;
    uint32_t len;
    uint32_t ofs;
} DEV_BUFFER;

typedef struct {
    DEV_CALLBACK tx_cb;
    DEV_CALLBACK rx_cb;
    DEV_CALLBACK err_cb;
} DEV_UART_CBS;

typedef struct {
    UART_TRANSFER_MODE transfer_mode;
    DEV_UART_CBS uart_cbs;
} DEV_UART_INFO;

typedef struct {
    DEV_UART_INFO uart_info;
    int32_t (*uart_control)(uint32_t command, void *argument);
} DEV_UART, *DEV_UART_PTR;

DEV_UART_PTR hx_drv_uart_get_dev(USE_SS_UART_E number);

#endif
