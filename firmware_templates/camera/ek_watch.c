#include "ek_watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_port.h"
#include "model.h"

#ifndef EK_FRAMES_ATTRIBUTE
#define EK_FRAMES_ATTRIBUTE /* in the memory where everything else is */
#endif

#define PIECE_BYTES 1024u

_Static_assert(EK_FRAME_WIDTH * EK_FRAME_HEIGHT * (EK_FRAME_ORDER == EK_GRAY ? 1u : 3u) ==
                   EK_MODEL_INPUT_BYTES,
               "the camera's frames must be the model's");
_Static_assert(EK_MODEL_TABLES > 0, "a model that takes no pixels sees no camera");

enum {
    ERROR = 0x84,
    SEEN = 0x86,
    PICTURE = 0x87,
    MODEL_FAILED = 11,
    CAMERA_FAILED = 13, /* the camera gives no picture, or too small a one */
};

static struct {
    uint32_t left;  /* predictions still to be made */
    uint32_t every; /* whose frames go with them; 0: none */
    uint32_t sequence;
} watch;

static uint8_t frame[EK_MODEL_INPUT_BYTES] EK_FRAMES_ATTRIBUTE;

void ek_watch_init(void) {
    memset(&watch, 0, sizeof watch);
}

void ek_watch_start(uint32_t count, uint32_t every) {
    watch.left = count;
    watch.every = every;
}

static void send_u64(ek_sender *sender, uint64_t value) {
    ek_send_u32(sender, (uint32_t)value);
    ek_send_u32(sender, (uint32_t)(value >> 32));
}

static void send_frame(ek_sender *sender) {
    for (uint32_t offset = 0; offset < sizeof frame; offset += PIECE_BYTES) {
        const uint32_t rest = (uint32_t)sizeof frame - offset;
        ek_send_begin(sender, PICTURE);
        ek_send_u32(sender, watch.sequence);
        ek_send_u32(sender, offset);
        ek_send_bytes(sender, frame + offset, rest < PIECE_BYTES ? rest : PIECE_BYTES);
        ek_send_end(sender);
    }
}

static void send_failure(ek_sender *sender, uint8_t code, uint32_t reason) {
    ek_send_begin(sender, ERROR);
    ek_send_u32(sender, watch.sequence);
    ek_send_u32(sender, reason);
    ek_send_bytes(sender, &code, 1);
    ek_send_end(sender);
    watch.left = 0; /* the host asks again if it wants to */
}

bool ek_watch_poll(ek_sender *sender) {
    static const ek_frame_shape shape = {EK_FRAME_WIDTH, EK_FRAME_HEIGHT, EK_FRAME_ORDER};
    if (watch.left == 0) {
        return false;
    }
    watch.left--;
    const uint64_t start = ek_port_ticks();
    ek_picture picture;
    if (!ek_camera_take(&picture)) {
        send_failure(sender, CAMERA_FAILED, 0);
        return true;
    }
    const uint64_t taken = ek_port_ticks();
    const bool whole = ek_picture_to_frame(&picture, &shape, frame);
    const uint64_t made = ek_port_ticks();
    ek_camera_give_back();
    if (!whole) {
        send_failure(sender, CAMERA_FAILED, 1);
        return true;
    }
    ek_app_times times;
    const int8_t *scores = ek_app_classify(frame, true, &times);
    if (scores == NULL) {
        send_failure(sender, MODEL_FAILED, (uint32_t)times.failure);
        return true;
    }
    if (watch.every > 0 && watch.sequence % watch.every == 0) {
        send_frame(sender);
    }
    ek_send_begin(sender, SEEN);
    ek_send_u32(sender, watch.sequence);
    send_u64(sender, taken - start);
    send_u64(sender, made - taken + times.preprocess);
    send_u64(sender, times.invoke);
    ek_send_u32(sender, EK_MODEL_OUTPUT_BYTES);
    ek_send_bytes(sender, scores, EK_MODEL_OUTPUT_BYTES);
    ek_send_end(sender);
    watch.sequence++;
    return true;
}
