/* The firmware as a process: `firmware` speaks on stdin and stdout, `firmware --pty` on a terminal.
 */

#include <stdio.h>
#include <string.h>

#include "ek_app.h"
#include "host_port.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--pty") == 0) {
        host_port_use_pty();
    } else if (argc != 1) {
        fputs("usage: firmware [--pty]\n"
              "Speaks the serial protocol on stdin and stdout until stdin ends,\n"
              "or with --pty on a pseudo-terminal whose path is the only line on stdout.\n",
              stderr);
        return 2;
    }
    ek_app_init();
    for (;;) {
        ek_app_poll();
    }
}
