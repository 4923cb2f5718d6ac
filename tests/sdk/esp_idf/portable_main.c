/* A port and a main that do nothing, to link the portable part of a project and see its sizes. */
#include <stdbool.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_port.h"
#ifdef EK_CAMERA
#include "ek_camera.h"

bool ek_camera_take(ek_picture *picture) {
    (void)picture;
    return false;
}

void ek_camera_give_back(void) {
}

bool ek_port_pending(void) {
    return false;
}
#endif

void ek_port_init(void) {
}

size_t ek_port_read(uint8_t *data, size_t size) {
    (void)data;
    (void)size;
    return 0;
}

void ek_port_write(const uint8_t *data, size_t size) {
    (void)data;
    (void)size;
}

uint64_t ek_port_ticks(void) {
    return 0;
}

int main(void);

int main(void) {
    ek_app_init();
    for (;;) {
        ek_app_poll();
    }
}
