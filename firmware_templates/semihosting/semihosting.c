/* Files, words and the exit by Arm's semihosting protocol (its specification, release 2.0). */
#include "semihosting.h"

#include <string.h>

#include "machine.h"

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20,
};

enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };

#define STOPPED_APPLICATION_EXIT 0x20026u

static uint32_t address(const void *data) {
    return (uint32_t)(uintptr_t)data;
}

int32_t machine_open(const char *name, bool write) {
    const uint32_t block[3] = {address(name), write ? MODE_WRITE_BINARY : MODE_READ_BINARY,
                               (uint32_t)strlen(name)};
    return semihosting_call(SYS_OPEN, block);
}

/* Both operations answer with the number of bytes that they did not move. */
static size_t transfer(uint32_t operation, int32_t file, const void *data, size_t size) {
    const uint32_t block[3] = {(uint32_t)file, address(data), (uint32_t)size};
    const uint32_t left = (uint32_t)semihosting_call(operation, block);
    return left <= size ? size - left : 0;
}

size_t machine_read(int32_t file, void *data, size_t size) {
    return transfer(SYS_READ, file, data, size);
}

size_t machine_write(int32_t file, const void *data, size_t size) {
    return transfer(SYS_WRITE, file, data, size);
}

void machine_print(const char *text) {
    (void)semihosting_call(SYS_WRITE0, text);
}

_Noreturn void machine_exit(uint32_t code) {
    const uint32_t block[2] = {STOPPED_APPLICATION_EXIT, code};
    for (;;) {
        (void)semihosting_call(SYS_EXIT_EXTENDED, block);
    }
}
