/*
 * The port on an ESP32-S3: the serial line is the chip's USB Serial/JTAG, by its driver's own
 * calls, since the console's would turn line ends.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "driver/usb_serial_jtag.h"
#include "ek_config.h"
#include "ek_port.h"
#include "esp_err.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#ifdef EK_CAMERA
#include "ek_camera.h"
#endif

#define BUFFER_BYTES 8192u
/* Both in milliseconds. A read that waits must end in time for the watchdog. */
#define READ_WAIT 500u
/* As long a host may leave what is written unread; then it counts as gone until it reads again. */
#define WRITE_WAIT 1000u

_Static_assert(BUFFER_BYTES >= EK_RX_WINDOW, "the driver must hold what the host may send");

static struct {
    bool started;
    bool unheard; /* the last packet did not get out: nobody reads */
    size_t held;  /* bytes that were taken from the driver to see whether there are any */
    uint8_t hold[64];
} port;

void ek_port_init(void) {
    if (!port.started) {
        usb_serial_jtag_driver_config_t config = {
            .tx_buffer_size = BUFFER_BYTES,
            .rx_buffer_size = BUFFER_BYTES,
        };
        ESP_ERROR_CHECK(usb_serial_jtag_driver_install(&config));
        port.started = true;
    }
}

/* Take what is there; wait at most `wait` milliseconds for the first byte. */
static size_t receive(uint8_t *data, size_t size, uint32_t wait) {
    const int count =
        usb_serial_jtag_read_bytes(data, (uint32_t)size, (uint32_t)pdMS_TO_TICKS(wait));
    return count > 0 ? (size_t)count : 0;
}

size_t ek_port_read(uint8_t *data, size_t size) {
    if (port.held == 0) {
        return receive(data, size, READ_WAIT);
    }
    const size_t count = port.held < size ? port.held : size;
    memcpy(data, port.hold, count);
    port.held -= count;
    memmove(port.hold, port.hold + count, port.held);
    return count;
}

#ifdef EK_CAMERA
bool ek_port_pending(void) {
    if (port.held == 0) {
        port.held = receive(port.hold, sizeof port.hold, 0);
    }
    return port.held > 0;
}
#endif

void ek_port_write(const uint8_t *data, size_t size) {
    /* The driver takes all of a piece that fits its buffer, or nothing. */
    while (size > 0) {
        const size_t piece = size < BUFFER_BYTES / 4u ? size : BUFFER_BYTES / 4u;
        const uint32_t wait = port.unheard ? 0u : (uint32_t)pdMS_TO_TICKS(WRITE_WAIT);
        const int count = usb_serial_jtag_write_bytes(data, piece, wait);
        port.unheard = count <= 0;
        if (port.unheard) {
            return; /* the host asks again for what it misses */
        }
        data += count;
        size -= (size_t)count;
    }
}

uint64_t ek_port_ticks(void) {
    return (uint64_t)esp_timer_get_time();
}
