/* The SDK has set up clocks, interrupts and its console when it calls main(). */
#include "ek_app.h"

int main(void);

int main(void) {
    ek_app_init();
    for (;;) {
        ek_app_poll();
    }
}
