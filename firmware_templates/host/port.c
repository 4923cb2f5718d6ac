/*
 * The port on POSIX: the serial line is stdin and stdout, or a pseudo-terminal.
 *
 * A UART's driver goes on receiving while the firmware sends. So does ek_port_write here: what
 * arrives meanwhile waits in `held`. Without that, two ends that both write more than the pipe
 * holds would wait for each other for ever.
 */

#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "ek_port.h"
#include "host_port.h"

/* More than any window that the protocol grants. */
#define HELD_BYTES 262144u
/* A pipe or socket that polls as writable takes this much without blocking (POSIX's least
 * PIPE_BUF). */
#define PIECE_BYTES 512u

static struct {
    int in;
    int out;
    bool ended;  /* the line was cut: what is held is still to be read */
    size_t head; /* held bytes are [head, tail) */
    size_t tail;
    uint8_t held[HELD_BYTES];
} port = {.in = STDIN_FILENO, .out = STDOUT_FILENO};

static void die(const char *what) {
    fprintf(stderr, "firmware: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The other end is gone: for a board, the power. */
static void power_off(void) {
    exit(0);
}

void host_port_use_pty(void) {
    const int primary = posix_openpt(O_RDWR | O_NOCTTY);
    if (primary < 0 || grantpt(primary) != 0 || unlockpt(primary) != 0) {
        die("cannot make a pseudo-terminal");
    }
    const char *path = ptsname(primary);
    /* Held open for good: without it the line would break each time a client closes its end. */
    const int replica = path == NULL ? -1 : open(path, O_RDWR | O_NOCTTY);
    struct termios raw;
    if (replica < 0 || tcgetattr(replica, &raw) != 0) {
        die("cannot open the pseudo-terminal");
    }
    raw.c_iflag &=
        (tcflag_t) ~(BRKINT | ICRNL | IGNBRK | IGNCR | INLCR | INPCK | ISTRIP | IXON | PARMRK);
    raw.c_oflag &= (tcflag_t)~OPOST;
    raw.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cflag &= (tcflag_t) ~(CSIZE | PARENB);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(replica, TCSANOW, &raw) != 0 || fcntl(primary, F_SETFL, O_NONBLOCK) != 0) {
        die("cannot set up the pseudo-terminal");
    }
    port.in = primary;
    port.out = primary;
    if (printf("%s\n", path) < 0 || fflush(stdout) != 0) {
        die("cannot print the path of the pseudo-terminal");
    }
}

void ek_port_init(void) {
    /* A closed line is found by the error of the write. */
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Wait until a descriptor can be read, or written if `out` is one; -1 leaves that side out. Without
 * `patience` only look. */
static void wait_for(int in, int out, bool patience, bool *readable, bool *writable) {
    struct pollfd lines[2] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLOUT}};
    while (poll(lines, 2, patience ? -1 : 0) < 0) {
        if (errno != EINTR && errno != EAGAIN) {
            die("cannot wait for the serial line");
        }
    }
    *readable = lines[0].revents != 0;
    *writable = lines[1].revents != 0;
}

/* Read what is there, without waiting, into `data`; note the end of the line. */
static size_t receive(uint8_t *data, size_t size) {
    const ssize_t count = read(port.in, data, size);
    if (count > 0) {
        return (size_t)count;
    }
    if (count == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
        port.ended = true;
    }
    return 0;
}

size_t ek_port_read(uint8_t *data, size_t size) {
    if (port.head < port.tail) {
        const size_t count = port.tail - port.head < size ? port.tail - port.head : size;
        memcpy(data, &port.held[port.head], count);
        port.head += count;
        return count;
    }
    if (port.ended) {
        power_off();
    }
    bool readable = false;
    bool writable = false;
    wait_for(port.in, -1, true, &readable, &writable);
    return readable ? receive(data, size) : 0;
}

bool host_port_pending(void) {
    bool readable = false;
    bool writable = false;
    if (port.head == port.tail && !port.ended) {
        wait_for(port.in, -1, false, &readable, &writable);
    }
    return readable || port.head < port.tail || port.ended;
}

/* Keep what arrives while the firmware is sending. */
static void hold(void) {
    if (port.head > 0) {
        memmove(port.held, &port.held[port.head], port.tail - port.head);
        port.tail -= port.head;
        port.head = 0;
    }
    port.tail += receive(&port.held[port.tail], HELD_BYTES - port.tail);
}

void ek_port_write(const uint8_t *data, size_t size) {
    while (size > 0) {
        const bool room = !port.ended && port.tail - port.head < HELD_BYTES;
        bool readable = false;
        bool writable = false;
        wait_for(room ? port.in : -1, port.out, true, &readable, &writable);
        if (readable) {
            hold();
        }
        if (!writable) {
            continue;
        }
        const ssize_t count = write(port.out, data, size < PIECE_BYTES ? size : PIECE_BYTES);
        if (count >= 0) {
            data += count;
            size -= (size_t)count;
        } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
            power_off();
        }
    }
}

uint64_t ek_port_ticks(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        die("cannot read the clock");
    }
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}
