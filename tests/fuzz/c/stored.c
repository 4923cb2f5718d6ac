/* The flash partition of a stored model: an allocation of just its size, whose digest is put right
 * in half of the inputs so that what lies behind that check is reached. */

#include <stdlib.h>

#include "fuzz.h"

/* Its own variables, which a start of the device would clear, are cleared here. */
#include "ek_stored_model.c"

const uint8_t ek_model_fit[32] = {9};

enum { SEALED = 1, SMALL = 2, DIGESTED = 4, FITTING = 8, SIZE_AT = 8 };

static const uint8_t *partition;
static size_t partition_bytes;

const uint8_t *ek_port_model(size_t *bytes) {
    *bytes = partition_bytes;
    return partition;
}

/* Put right what the bits of `wanted` name. */
static void seal(uint8_t *part, size_t bytes, uint8_t wanted) {
    static const uint8_t start[8] = {'E', 'K', 'S', 'M', FORMAT};
    memcpy(part, start, sizeof start);
    if ((wanted & SMALL) != 0) {
        part[SIZE_AT + 2] = part[SIZE_AT + 3] = 0;
    }
    if ((wanted & FITTING) != 0) {
        memcpy(part + FIT, ek_model_fit, sizeof ek_model_fit);
    }
    const uint32_t size = number(part + SIZE_AT);
    if ((wanted & DIGESTED) != 0 && size <= bytes - HEADER_BYTES) {
        ek_sha256 hash;
        ek_sha256_begin(&hash);
        ek_sha256_add(&hash, part, DIGEST);
        ek_sha256_add(&hash, part + FIT, HEADER_BYTES - FIT + size);
        ek_sha256_end(&hash, part + DIGEST);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    uint8_t *part = malloc(size - 1);
    if (part == NULL) {
        abort();
    }
    memcpy(part, data + 1, size - 1);
    partition = part;
    partition_bytes = size - 1;
    if ((data[0] & SEALED) != 0 && partition_bytes >= HEADER_BYTES) {
        seal(part, partition_bytes, data[0]);
    }
    looked = false;
    stored = (ek_stored_model){0, NULL, nothing};
    volatile uint8_t sum = 0; /* everything that the firmware would read can be read */
    const ek_stored_model *found = ek_stored_model_get();
    for (uint32_t i = 0; found->failure == 0 && i < number(part + SIZE_AT); i++) {
        sum = (uint8_t)(sum ^ found->data[i]);
    }
    for (int i = 0; i < 64; i++) {
        sum = (uint8_t)(sum ^ ek_model_digests()[i]);
    }
    free(part);
    return 0;
}
