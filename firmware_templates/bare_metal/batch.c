/* Two files in the folder that the emulator runs in; numbers are little-endian, as the processors
 * are.
 *
 *   edgekit-frames.bin   "EKF1", u32 kind (0 pixels, 1 int8 tensors), u32 count, the frames
 *   edgekit-scores.bin   "EKS1", contract digest, model digest (32 bytes each);
 *                        per frame: u64 ticks of the preprocessing, u64 ticks of the run, the int8
 * scores; "EKE1", u32 bytes of stack that were used
 */
#include "batch.h"

#include <string.h>

#include "ek_app.h"
#include "ek_port.h"
#include "machine.h"
#include "model.h"

#define FRAMES "edgekit-frames.bin"
#define SCORES "edgekit-scores.bin"

typedef struct {
    uint64_t preprocess_ticks;
    uint64_t invoke_ticks;
    int8_t scores[EK_MODEL_OUTPUT_BYTES];
} record;
/* The record in the file has no padding behind the scores. */
#define RECORD_BYTES (offsetof(record, scores) + EK_MODEL_OUTPUT_BYTES)

static _Noreturn void give_up(const char *what) {
    machine_print("batch: ");
    machine_print(what);
    machine_print("\n");
    machine_exit(MACHINE_EXIT_FILES);
}

static void get(int32_t file, void *data, size_t size) {
    if (machine_read(file, data, size) != size) {
        give_up("cannot read " FRAMES);
    }
}

static void put(int32_t file, const void *data, size_t size) {
    if (machine_write(file, data, size) != size) {
        give_up("cannot write " SCORES);
    }
}

static void classify(int32_t frames, int32_t scores, bool pixels) {
    static uint8_t frame[EK_MODEL_INPUT_BYTES];
    static record result;
    ek_app_times times;
    get(frames, frame, sizeof frame);
    const int8_t *found = ek_app_classify(frame, pixels, &times);
    if (found == NULL) {
        give_up("the network cannot be run");
    }
    result.preprocess_ticks = times.preprocess;
    result.invoke_ticks = times.invoke;
    memcpy(result.scores, found, sizeof result.scores);
    put(scores, &result, RECORD_BYTES);
}

static uint32_t get_u32(const uint8_t *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

void batch_run(void) {
    uint8_t head[12];
    const int32_t frames = machine_open(FRAMES, false);
    if (frames < 0) {
        return;
    }
    ek_port_init();
    get(frames, head, sizeof head);
    const uint32_t kind = get_u32(head + 4);
    if (memcmp(head, "EKF1", 4) != 0 || kind > 1 || (kind == 0 && EK_MODEL_TABLES == 0)) {
        give_up(FRAMES " is not for this model");
    }
    const int32_t scores = machine_open(SCORES, true);
    if (scores < 0) {
        give_up("cannot make " SCORES);
    }
    put(scores, "EKS1", 4);
    put(scores, ek_model_contract_digest, 32);
    put(scores, ek_model_digest, 32);
    for (uint32_t left = get_u32(head + 8); left > 0; left--) {
        classify(frames, scores, kind == 0);
    }
    const uint32_t stack = machine_stack_used();
    put(scores, "EKE1", 4);
    put(scores, &stack, sizeof stack);
    machine_exit(MACHINE_EXIT_DONE);
}
