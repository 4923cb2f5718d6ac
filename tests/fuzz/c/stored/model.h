/* What ek_stored_model.c asks of a generated model.h. */

#ifndef EK_MODEL_H
#define EK_MODEL_H

#include <stdint.h>

#define EK_MODEL_ARENA_BYTES 1000u

extern const uint8_t ek_model_fit[32];

const uint8_t *ek_model_digests(void);

#endif
