/* Runs a target once for each file of the command line, where there is no libFuzzer. */

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        return 1;
    }
    const size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(size + 1); /* of just the bytes that are there, and never of none */
    const int failed = data == NULL || fread(data, 1, size, file) != size;
    (void)fclose(file);
    if (!failed) {
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    return failed;
}

int main(int count, char **paths) {
    for (int i = 1; i < count; i++) {
        if (replay(paths[i]) != 0) {
            return 1;
        }
    }
    return 0;
}
