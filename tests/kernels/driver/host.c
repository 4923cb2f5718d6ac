/* A process of this machine: AddressSanitizer sees what lies outside a block. */
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"

#define MOST_BLOCKS (DRIVER_MAX_INPUTS + 2)

static void *blocks[MOST_BLOCKS];
static int used;

static void give_up(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(2);
}

void driver_read(void *data, size_t size) {
    if (fread(data, 1, size, stdin) != size) {
        give_up("short input");
    }
}

void driver_write(const void *data, size_t size) {
    if (fwrite(data, 1, size, stdout) != size) {
        give_up("short output");
    }
}

int8_t *driver_block(size_t size, size_t shift) {
    int8_t *block = used < MOST_BLOCKS ? malloc(size + shift) : NULL;
    if (block == NULL) {
        give_up("no memory");
    }
    blocks[used++] = block;
    return block + shift;
}

void driver_free_all(void) {
    while (used > 0) {
        free(blocks[--used]);
    }
}

void driver_say(int number, int frame) {
    fprintf(stderr, "case %d frame %d\n", number, frame);
}

int main(void) {
    driver_run();
    return 0;
}
