/* One frame through the model: what all protocols do with the bytes that they receive. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_port.h"
#include "model.h"

#ifndef EK_ARENA_ATTRIBUTE
#define EK_ARENA_ATTRIBUTE /* in the memory where everything else is */
#endif

static _Alignas(16) uint8_t arena[EK_MODEL_ARENA_BYTES] EK_ARENA_ATTRIBUTE;

/* Raw pixels become the model's int8 input by the contract's table; tensors are taken as they are.
 */
static void load_input(const uint8_t *frame, bool pixels) {
    uint8_t *input = ek_model_input(arena);
#if EK_MODEL_TABLES > 0
    if (pixels) {
        size_t i = 0;
#if EK_MODEL_TABLE_IDENTITY
        for (; i + 4u <= EK_MODEL_INPUT_BYTES; i += 4u) {
            uint32_t four;
            memcpy(&four, frame + i, 4);
            four ^= 0x80808080u; /* pixel - 128 */
            memcpy(input + i, &four, 4);
        }
        for (; i < EK_MODEL_INPUT_BYTES; i++) {
            input[i] = frame[i] ^ 0x80u;
        }
#else
        size_t channel = 0;
        for (; i < EK_MODEL_INPUT_BYTES; i++) {
            input[i] = (uint8_t)ek_model_table[channel][frame[i]];
            channel = channel + 1u < EK_MODEL_TABLES ? channel + 1u : 0u;
        }
#endif
        return;
    }
#else
    (void)pixels;
#endif
    memcpy(input, frame, EK_MODEL_INPUT_BYTES);
}

const int8_t *ek_app_classify(const uint8_t *frame, bool pixels, ek_app_times *times) {
    times->failure = ek_model_init(arena);
    if (times->failure != 0) {
        return NULL;
    }
    const uint64_t start = ek_port_ticks();
    load_input(frame, pixels);
    const uint64_t loaded = ek_port_ticks();
    times->failure = ek_model_invoke(arena);
    times->invoke = ek_port_ticks() - loaded;
    times->preprocess = loaded - start;
    return times->failure == 0 ? ek_app_scores() : NULL;
}

const int8_t *ek_app_scores(void) {
    return ek_model_output(arena);
}
