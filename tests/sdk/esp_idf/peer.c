/* The driver and the camera behind the port of an ESP32-S3, as a test scripts them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "driver/usb_serial_jtag.h"
#include "esp_camera.h"
#include "esp_timer.h"

#define BYTES 65536u

static struct {
    uint8_t in[BYTES];
    size_t in_size;
    uint8_t out[BYTES];
    size_t out_size;
    size_t room; /* what the driver's ring still takes: all of a piece, or nothing */
    size_t largest;
    uint32_t wait; /* of the last call, in ticks */
    int installed;
    int failed;
    int writes;
} line;

static struct {
    bool broken;
    bool empty;
    int started;
    int taken;
    int returned;
    uint8_t pixels[4 * 3 * 2];
    camera_fb_t picture;
} sensor;

void peer_reset(void) {
    memset(&line, 0, sizeof line);
    memset(&sensor, 0, sizeof sensor);
    line.room = BYTES;
}

void peer_arrive(const uint8_t *data, size_t size) {
    memcpy(line.in + line.in_size, data, size);
    line.in_size += size;
}

void peer_room(size_t room) {
    line.room = room;
}

size_t peer_sent(uint8_t *data) {
    const size_t size = line.out_size;
    memcpy(data, line.out, size);
    line.out_size = 0;
    return size;
}

/* 0 how often the driver was installed, 1 errors that were not handled, 2 ticks that the last call
 * waited, 3 calls to write, 4 the largest piece, 5 starts of the camera, 6 pictures taken, 7 given
 * back. */
size_t peer_count(int which) {
    const size_t counts[] = {(size_t)line.installed, (size_t)line.failed,    line.wait,
                             (size_t)line.writes,    line.largest,           (size_t)sensor.started,
                             (size_t)sensor.taken,   (size_t)sensor.returned};
    return counts[which];
}

void peer_camera(bool broken, bool empty, size_t width, size_t height, size_t lacking, int format) {
    sensor.broken = broken;
    sensor.empty = empty;
    sensor.picture.buf = sensor.pixels;
    sensor.picture.width = width;
    sensor.picture.height = height;
    sensor.picture.len = width * height * 2u - lacking;
    sensor.picture.format = (pixformat_t)format;
}

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config) {
    line.installed++;
    return config->rx_buffer_size == 8192u && config->tx_buffer_size == 8192u ? ESP_OK
                                                                              : ESP_ERR_NO_MEM;
}

int usb_serial_jtag_read_bytes(void *data, uint32_t length, uint32_t ticks) {
    const size_t count = line.in_size < length ? line.in_size : length;
    memcpy(data, line.in, count);
    memmove(line.in, line.in + count, line.in_size - count);
    line.in_size -= count;
    line.wait = ticks;
    return (int)count;
}

int usb_serial_jtag_write_bytes(const void *data, size_t size, uint32_t ticks) {
    line.writes++;
    line.wait = ticks;
    line.largest = size > line.largest ? size : line.largest;
    if (size > line.room) {
        return 0;
    }
    memcpy(line.out + line.out_size, data, size);
    line.out_size += size;
    line.room -= size;
    return (int)size;
}

void ek_sdk_failed(esp_err_t error) {
    (void)error;
    line.failed++;
}

int64_t esp_timer_get_time(void) {
    return 5000000000;
}

esp_err_t esp_camera_init(const camera_config_t *config) {
    sensor.started++;
    return sensor.broken || config->pixel_format != PIXFORMAT_RGB565 ? ESP_ERR_NO_MEM : ESP_OK;
}

camera_fb_t *esp_camera_fb_get(void) {
    if (sensor.empty) {
        return NULL;
    }
    sensor.taken++;
    return &sensor.picture;
}

void esp_camera_fb_return(camera_fb_t *picture) {
    sensor.returned += picture == &sensor.picture;
}
