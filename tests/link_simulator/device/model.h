/* A model of zero cost for the link's tests: its scores are checksums of its input. */

#ifndef EK_MODEL_H
#define EK_MODEL_H

#include <stdint.h>

#ifndef TEST_INPUT_BYTES
#define TEST_INPUT_BYTES 3072
#endif
#ifndef TEST_OUTPUT_BYTES
#define TEST_OUTPUT_BYTES 8 /* more of them repeat the first eight */
#endif
#ifndef TEST_TABLES
#define TEST_TABLES 3
#endif
#ifndef TEST_IDENTITY
#define TEST_IDENTITY 0
#endif

#define EK_MODEL_ARENA_BYTES (TEST_INPUT_BYTES + TEST_OUTPUT_BYTES)
#define EK_MODEL_INPUT_BYTES TEST_INPUT_BYTES
#define EK_MODEL_OUTPUT_BYTES TEST_OUTPUT_BYTES
#define EK_MODEL_INPUT_RANK 4
#define EK_MODEL_INPUT_SHAPE {1, 1, TEST_INPUT_BYTES / 3, 3}
#define EK_MODEL_INPUT_CHANNELS 3
#define EK_MODEL_TABLES TEST_TABLES
#define EK_MODEL_TABLE_IDENTITY TEST_IDENTITY
#define EK_MODEL_STEPS 2

extern const uint8_t ek_model_digest[32];
extern const uint8_t ek_model_contract_digest[32];
extern const int8_t ek_model_table[][256];

#ifndef TEST_INIT_FAILS
#define TEST_INIT_FAILS 0 /* the reason that the network gives for not starting */
#endif
#ifndef TEST_INVOKE_FAILS
#define TEST_INVOKE_FAILS 0 /* the reason that every second run fails with */
#endif

int32_t ek_model_init(uint8_t *arena);
uint8_t *ek_model_input(uint8_t *arena);
const int8_t *ek_model_output(const uint8_t *arena);
int32_t ek_model_invoke(uint8_t *arena);

#endif
