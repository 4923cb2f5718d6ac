/* The firmware of a bare-metal board: a batch if there is one, else the serial protocol for ever.
 */
#include "batch.h"
#include "ek_app.h"

int main(void);

int main(void) {
    batch_run();
    ek_app_init();
    for (;;) {
        ek_app_poll();
    }
}
