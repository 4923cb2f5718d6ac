/* Stands in for the application in tests of the port. The first byte that arrives chooses what
 * comes back: 'e' each byte once, 'm' each byte four times. */

#include "ek_app.h"
#include "ek_port.h"

static struct {
    size_t factor;
    uint8_t data[4096];
    uint8_t answer[4u * 4096u];
} app;

void ek_app_init(void) {
    ek_port_init();
}

void ek_app_poll(void) {
    const size_t count = ek_port_read(app.data, sizeof app.data);
    size_t first = 0;
    if (app.factor == 0 && count > 0) {
        app.factor = app.data[0] == 'm' ? 4 : 1;
        first = 1;
    }
    size_t size = 0;
    for (size_t i = first; i < count; i++) {
        for (size_t k = 0; k < app.factor; k++) {
            app.answer[size++] = app.data[i];
        }
    }
    ek_port_write(app.answer, size);
}
