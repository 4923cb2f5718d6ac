/* The model in a flash partition of its own: docs/explanation/runtimes.md. */

#ifndef EK_STORED_MODEL_H
#define EK_STORED_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the port: the partition, mapped so that it can be read like memory at an address that is a
 * multiple of 16, and its size; NULL where there is none. Called once. */
const uint8_t *ek_port_model(size_t *bytes);

typedef struct {
    int32_t failure;        /* 0, or the EK_MODEL_... of ek_app.h for which nothing runs */
    const uint8_t *data;    /* the .tflite; NULL after a failure */
    const uint8_t *digests; /* of the model, then of its contract: 32 bytes each; else zeros */
} ek_stored_model;

/* Looks at the partition the first time, all of the model included, and keeps what it found. */
const ek_stored_model *ek_stored_model_get(void);

#ifdef __cplusplus
}
#endif

#endif
