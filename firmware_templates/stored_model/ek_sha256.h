/* SHA-256 (FIPS 180-4). */

#ifndef EK_SHA256_H
#define EK_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} ek_sha256;

void ek_sha256_begin(ek_sha256 *hash);
void ek_sha256_add(ek_sha256 *hash, const uint8_t *data, size_t size);
void ek_sha256_end(ek_sha256 *hash, uint8_t digest[32]);

#endif
