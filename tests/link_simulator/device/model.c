/* Scores of a frame: CRC-32 and Adler-32 of the model's input, so that no wrong frame goes
 * unnoticed. */

#include "model.h"

#include <stdbool.h>
#include <stddef.h>

#include "ek_app.h"

const uint8_t ek_model_digest[32] = {1, 2, 3};
const uint8_t ek_model_contract_digest[32] = {4, 5, 6};

/* A bijection that differs by channel: a pixel in the wrong place or channel changes the sums. */
#define V(c, p) (int8_t)(uint8_t)(((p) * 7 + (c) * 13 + 5) & 0xFF)
#define V4(c, p) V(c, p), V(c, p + 1), V(c, p + 2), V(c, p + 3)
#define V16(c, p) V4(c, p), V4(c, p + 4), V4(c, p + 8), V4(c, p + 12)
#define V64(c, p) V16(c, p), V16(c, p + 16), V16(c, p + 32), V16(c, p + 48)
#define ROW(c) {V64(c, 0), V64(c, 64), V64(c, 128), V64(c, 192)}

const int8_t ek_model_table[][256] = {ROW(0), ROW(1), ROW(2)};

static uint32_t crc_table[256];

static void fill_crc_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
        }
        crc_table[i] = crc;
    }
}

static bool started;

int32_t ek_model_init(uint8_t *arena) {
    (void)arena;
    started = TEST_INIT_FAILS == 0;
    return TEST_INIT_FAILS;
}

/* The output is in the place of the input, as a planner may do. */
uint8_t *ek_model_input(uint8_t *arena) {
    return started ? arena : NULL;
}

const int8_t *ek_model_output(const uint8_t *arena) {
    return started ? (const int8_t *)arena : NULL;
}

int32_t ek_model_invoke(uint8_t *arena) {
    static uint32_t runs;
    if (++runs % 2 == 0 && TEST_INVOKE_FAILS != 0) {
        return TEST_INVOKE_FAILS;
    }
    uint32_t crc = ~0u;
    uint32_t low = 1;
    uint32_t high = 0;
    if (crc_table[1] == 0) {
        fill_crc_table();
    }
    for (size_t i = 0; i < EK_MODEL_INPUT_BYTES; i++) {
        crc = crc_table[(crc ^ arena[i]) & 0xFFu] ^ (crc >> 8);
        low = (low + arena[i]) % 65521u;
        high = (high + low) % 65521u;
    }
    crc = ~crc;
    const uint32_t adler = high << 16 | low;
    for (size_t i = 0; i < 4; i++) {
        arena[i] = (uint8_t)(crc >> (8 * i));
        arena[4 + i] = (uint8_t)(adler >> (8 * i));
    }
    for (size_t i = 8; i < EK_MODEL_OUTPUT_BYTES; i++) {
        arena[i] = arena[i - 8];
    }
#ifdef EK_TRACE
    ek_trace_step(0, (const int8_t *)arena, 4);
    ek_trace_step(1, (const int8_t *)arena, 8);
#endif
    return 0;
}
