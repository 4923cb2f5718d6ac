/* An emulated board: files through semihosting, and marks around each block in place of a
 * sanitizer. */
#include "driver.h"
#include "machine.h"

#define MARK_BYTES 32u
#define MARK 0xA7u

static _Alignas(16) uint8_t pool[1u << 18];
static struct {
    size_t begin;
    size_t end;
} blocks[DRIVER_MAX_INPUTS + 2];
static size_t used_blocks;
static size_t used_bytes;
static int32_t input, output;
static char running[] = "case       frame      ";

int main(void);

static _Noreturn void give_up(const char *what) {
    machine_print(what);
    machine_print(" in ");
    machine_print(running);
    machine_print("\n");
    machine_exit(MACHINE_EXIT_FILES);
}

void driver_read(void *data, size_t size) {
    if (machine_read(input, data, size) != size) {
        give_up("short input");
    }
}

void driver_write(const void *data, size_t size) {
    if (machine_write(output, data, size) != size) {
        give_up("short output");
    }
}

int8_t *driver_block(size_t size, size_t shift) {
    const size_t begin = ((used_bytes + MARK_BYTES + 15u) & ~(size_t)15) + shift;
    const size_t end = begin + size;
    if (used_blocks == sizeof blocks / sizeof blocks[0] || end + MARK_BYTES > sizeof pool) {
        give_up("no memory");
    }
    memset(pool + used_bytes, MARK, end + MARK_BYTES - used_bytes);
    blocks[used_blocks].begin = begin;
    blocks[used_blocks++].end = end;
    used_bytes = end + MARK_BYTES;
    return (int8_t *)pool + begin;
}

void driver_free_all(void) {
    for (size_t at = 0, block = 0; at < used_bytes; at++) {
        if (block < used_blocks && at == blocks[block].begin) {
            at = blocks[block++].end;
        }
        if (pool[at] != MARK) {
            give_up("written outside its blocks");
        }
    }
    used_blocks = 0;
    used_bytes = 0;
}

static void number_into(char *text, int number) {
    for (int i = 4; i >= 0; i--, number /= 10) {
        text[i] = (char)('0' + number % 10);
    }
}

void driver_say(int number, int frame) {
    number_into(running + 5, number);
    number_into(running + 17, frame);
}

int main(void) {
    input = machine_open("input.bin", false);
    output = machine_open("output.bin", true);
    driver_run();
    return 0;
}
