/* The SDK's own main.c leaves main() to an application that it does not know. */
#include "board.h"
#include "ek_app.h"

int main(void);

int main(void) {
    (void)board_init(); /* pins, clocks, drivers, and the console at 921600 baud */
    ek_app_init();
    for (;;) {
        ek_app_poll();
    }
}
