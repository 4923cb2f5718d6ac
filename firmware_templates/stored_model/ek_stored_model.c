#include "ek_stored_model.h"

#include <stdbool.h>
#include <string.h>

#include "ek_app.h"
#include "ek_sha256.h"
#include "model.h"

#define FORMAT 1u
#define HEADER_BYTES 144u
/* Where things are in the header. */
#define DIGEST 16u
#define FIT 48u
#define DIGESTS 80u

static const uint8_t nothing[64];
static ek_stored_model stored = {0, NULL, nothing};
static bool looked;

static uint32_t number(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Whether all bytes from the header to the end of the .tflite are here and those that were packed.
 */
static bool whole(const uint8_t *part, size_t bytes) {
    if (part == NULL || bytes < HEADER_BYTES || memcmp(part, "EKSM", 4) != 0 ||
        number(part + 4) != FORMAT) {
        return false;
    }
    const uint32_t size = number(part + 8);
    if (size == 0 || size > bytes - HEADER_BYTES) {
        return false;
    }
    uint8_t digest[32];
    ek_sha256 hash;
    ek_sha256_begin(&hash);
    ek_sha256_add(&hash, part, DIGEST);
    ek_sha256_add(&hash, part + FIT, HEADER_BYTES - FIT + size);
    ek_sha256_end(&hash, digest);
    return memcmp(digest, part + DIGEST, sizeof digest) == 0;
}

static int32_t look(void) {
    size_t bytes = 0;
    const uint8_t *part = ek_port_model(&bytes);
    if (!whole(part, bytes)) {
        return EK_MODEL_NOT_STORED;
    }
    /* Also of a model that does not fit: so that the host can say which one it is. */
    stored.digests = part + DIGESTS;
    if (memcmp(part + FIT, ek_model_fit, 32) != 0) {
        return EK_MODEL_OTHER;
    }
    if (number(part + 12) > EK_MODEL_ARENA_BYTES) {
        return EK_MODEL_ARENA;
    }
    stored.data = part + HEADER_BYTES;
    return 0;
}

const ek_stored_model *ek_stored_model_get(void) {
    if (!looked) {
        looked = true;
        stored.failure = look();
    }
    return &stored;
}

const uint8_t *ek_model_digests(void) {
    return ek_stored_model_get()->digests;
}
