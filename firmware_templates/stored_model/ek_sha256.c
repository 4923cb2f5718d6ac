#include "ek_sha256.h"

#include <string.h>

/* FIPS 180-4, 4.2.2. */
static const uint32_t rounds[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u,
};

static uint32_t turn(uint32_t value, unsigned count) {
    return value >> count | value << (32u - count);
}

/* 6.2.2: one block of 64 bytes. */
static void mix(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    uint32_t v[8];
    for (size_t i = 0; i < 16; i++) {
        const uint8_t *at = block + 4u * i;
        w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (size_t i = 16; i < 64; i++) {
        const uint32_t first = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t second = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + first + w[i - 7] + second;
    }
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t most = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        const uint32_t one =
            v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + choice + rounds[i] + w[i];
        const uint32_t two = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + most;
        memmove(v + 1, v, 7u * sizeof v[0]);
        v[4] += one;
        v[0] = one + two;
    }
    for (size_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void ek_sha256_begin(ek_sha256 *hash) {
    static const uint32_t start[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    memcpy(hash->state, start, sizeof start);
    hash->bytes = 0;
}

void ek_sha256_add(ek_sha256 *hash, const uint8_t *data, size_t size) {
    while (size > 0) {
        const size_t held = (size_t)(hash->bytes % 64u);
        const size_t count = size < 64u - held ? size : 64u - held;
        memcpy(hash->block + held, data, count);
        hash->bytes += count;
        data += count;
        size -= count;
        if (held + count == 64u) {
            mix(hash->state, hash->block);
        }
    }
}

void ek_sha256_end(ek_sha256 *hash, uint8_t digest[32]) {
    const uint64_t bits = hash->bytes * 8u;
    const size_t held = (size_t)(hash->bytes % 64u);
    uint8_t tail[72] = {0x80};
    const size_t zeros = held < 56u ? 56u - held : 120u - held;
    for (size_t i = 0; i < 8; i++) {
        tail[zeros + i] = (uint8_t)(bits >> (56u - 8u * i));
    }
    ek_sha256_add(hash, tail, zeros + 8u);
    for (size_t i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4u] >> (24u - 8u * (i % 4u)));
    }
}
