#include "ek_app.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_config.h"
#include "ek_frame.h"
#include "ek_port.h"
#include "model.h"
#ifdef EK_CAMERA
#include "ek_watch.h"
#endif

#ifndef EK_FRAMES_ATTRIBUTE
#define EK_FRAMES_ATTRIBUTE /* in the memory where everything else is */
#endif

#define PROTOCOL_VERSION 1u
/* What the host may send beside chunks while the device computes: not part of the window it is
 * told. */
#define CONTROL_RESERVE 64u
#define UNIT 128u /* chunks start and end at multiples of it, the end of the frame excepted */
#define UNITS ((EK_MODEL_INPUT_BYTES + UNIT - 1u) / UNIT)

_Static_assert(EK_RX_WINDOW >= CONTROL_RESERVE + 192u, "EK_RX_WINDOW must hold one small chunk");
_Static_assert(EK_FRAME_BUFFERS >= 1 && EK_FRAME_BUFFERS <= 255,
               "EK_FRAME_BUFFERS is one byte in HELLO");

enum { /* host to device */
       HELLO_REQUEST = 0x01,
       CHUNK_PIXELS = 0x02,
       CHUNK_TENSOR = 0x03,
       TRACE_REQUEST = 0x04,
       WATCH_REQUEST = 0x05,
       /* device to host */
       HELLO = 0x81,
       ACK = 0x82,
       PREDICTION = 0x83,
       ERROR = 0x84,
       TRACE = 0x85,
};

enum {
    NO_SESSION = 1,    /* the device has (re)started; say hello first */
    UNKNOWN_TYPE = 2,  /* a packet type below 0x80 that this firmware does not know */
    BAD_LENGTH = 3,    /* too short or too long for its type */
    BAD_RANGE = 4,     /* a chunk outside the frame, or not at multiples of 128 bytes */
    NO_PIXELS = 5,     /* this model takes tensors only */
    NO_BUFFER = 6,     /* more frames at a time than the device can hold */
    CONFLICT = 7,      /* other type or frame check than the chunks before it */
    FRAME_CHECK = 8,   /* the whole frame fails its check; send it again */
    UNKNOWN_FRAME = 9, /* asked for a frame of which nothing is here */
    NO_TRACE = 10,     /* not a debug build, or nothing has run yet */
    MODEL_FAILED = 11, /* the network cannot be started or run; offset says why */
    NO_CAMERA = 12,    /* this firmware was built without one */
};

typedef struct {
    uint32_t sequence;
    uint32_t check;
    uint32_t missing; /* units still to come; 0 means that the buffer is free */
    uint8_t type;
    uint8_t arrived[UNITS];                         /* 1 for each unit that is here */
    _Alignas(4) uint8_t data[EK_MODEL_INPUT_BYTES]; /* so that it is copied by words */
} frame_buffer;

typedef struct {
    uint32_t sequence;
    bool valid;
    uint64_t preprocess_ticks;
    uint64_t invoke_ticks;
    int8_t scores[EK_MODEL_OUTPUT_BYTES];
} answer;

static struct {
    frame_buffer frames[EK_FRAME_BUFFERS];
    answer answers[EK_FRAME_BUFFERS]; /* a ring: a repeated sequence number gets its answer again */
    uint32_t next_answer;
    uint32_t session; /* 0: none */
    ek_receiver receiver;
    ek_sender sender;
#ifdef EK_TRACE
    bool traced;
    uint32_t trace[EK_MODEL_STEPS];
#endif
} app EK_FRAMES_ATTRIBUTE;

#ifdef EK_TRACE
void ek_trace_step(uint32_t step, const int8_t *output, uint32_t size) {
    app.trace[step] = ek_crc32(0, (const uint8_t *)output, size, false);
    app.traced = true; /* a frame of the board's own camera counts, too */
}
#endif

static void send_u64(uint64_t value) {
    ek_send_u32(&app.sender, (uint32_t)value);
    ek_send_u32(&app.sender, (uint32_t)(value >> 32));
}

static void send_reply(uint8_t type, uint32_t sequence, uint32_t offset) {
    ek_send_begin(&app.sender, type);
    ek_send_u32(&app.sender, sequence);
    ek_send_u32(&app.sender, offset);
}

static void send_error(uint8_t code, uint32_t sequence, uint32_t offset) {
    send_reply(ERROR, sequence, offset);
    ek_send_bytes(&app.sender, &code, 1);
    ek_send_end(&app.sender);
}

static void send_ack(uint32_t sequence, uint32_t offset, uint32_t count) {
    send_reply(ACK, sequence, offset);
    ek_send_u32(&app.sender, count);
    ek_send_end(&app.sender);
}

static void send_field(uint8_t id, const void *data, uint8_t size) {
    const uint8_t head[2] = {id, size};
    ek_send_bytes(&app.sender, head, sizeof head);
    ek_send_bytes(&app.sender, data, size);
}

#define LE32(value)                                                                                \
    (uint8_t)((uint32_t)(value) & 0xFFu), (uint8_t)((uint32_t)(value) >> 8 & 0xFFu),               \
        (uint8_t)((uint32_t)(value) >> 16 & 0xFFu), (uint8_t)((uint32_t)(value) >> 24)

#ifdef EK_TRACE
#define TRACE_FEATURE 2u
#else
#define TRACE_FEATURE 0u
#endif
#ifdef EK_CAMERA
#define CAMERA_FEATURE 4u
#else
#define CAMERA_FEATURE 0u
#endif
#define FEATURES ((EK_MODEL_TABLES > 0 ? 1u : 0u) | TRACE_FEATURE | CAMERA_FEATURE)

static void send_hello(void) {
    /* Fields known at compile time, each id, size, value; then the heads of fields that follow. */
    static const uint8_t numbers[] = {
        1,  4, LE32(PROTOCOL_VERSION),      8,  4,  LE32(EK_MODEL_INPUT_BYTES),
        9,  4, LE32(EK_MODEL_OUTPUT_BYTES), 10, 4,  LE32(EK_MODEL_ARENA_BYTES),
        11, 4, LE32(EK_FRAME_BUFFERS),      12, 4,  LE32(EK_RX_WINDOW - CONTROL_RESERVE),
        13, 4, LE32(EK_CHUNK_MAX),          14, 4,  LE32(EK_TICKS_UNIT),
        15, 4, LE32(EK_TICKS_EXACT),        16, 4,  LE32(FEATURES),
        17, 4, LE32(EK_MODEL_STEPS),        18, 12,
    };
    static const uint8_t shape_head[2] = {7, 4u * EK_MODEL_INPUT_RANK};
    static const uint32_t shape[EK_MODEL_INPUT_RANK] = EK_MODEL_INPUT_SHAPE;
    ek_send_begin(&app.sender, HELLO);
    ek_send_bytes(&app.sender, numbers, sizeof numbers);
    ek_send_u32(&app.sender, app.session);
    ek_send_u32(&app.sender, app.receiver.dropped);
    ek_send_u32(&app.sender, app.receiver.repaired);
    ek_send_bytes(&app.sender, shape_head, sizeof shape_head);
    for (size_t i = 0; i < EK_MODEL_INPUT_RANK; i++) {
        ek_send_u32(&app.sender, shape[i]);
    }
    send_field(2, EK_BOARD_ID, sizeof EK_BOARD_ID - 1u);
    send_field(3, EK_FIRMWARE_VERSION, sizeof EK_FIRMWARE_VERSION - 1u);
    send_field(4, EK_RUNTIME, sizeof EK_RUNTIME - 1u);
    send_field(5, ek_model_contract_digest, 32);
    send_field(6, ek_model_digest, 32);
    ek_send_end(&app.sender);
}

static void send_prediction(const answer *found) {
    ek_send_begin(&app.sender, PREDICTION);
    ek_send_u32(&app.sender, found->sequence);
    send_u64(found->preprocess_ticks);
    send_u64(found->invoke_ticks);
    ek_send_u32(&app.sender, EK_MODEL_OUTPUT_BYTES);
    ek_send_bytes(&app.sender, found->scores, sizeof found->scores);
    ek_send_end(&app.sender);
}

/* Returns 0, or the code of the error to answer with. */
static uint8_t send_trace(void) {
#ifdef EK_TRACE
    if (app.traced) {
        ek_send_begin(&app.sender, TRACE);
        ek_send_u32(&app.sender, EK_MODEL_STEPS);
        for (size_t i = 0; i < EK_MODEL_STEPS; i++) {
            ek_send_u32(&app.sender, app.trace[i]);
        }
        ek_send_end(&app.sender);
        return 0;
    }
#endif
    return NO_TRACE;
}

static void run(const frame_buffer *frame) {
    if (ek_crc32(0, frame->data, sizeof frame->data, true) != frame->check) {
        send_error(FRAME_CHECK, frame->sequence, 0);
        return;
    }
    ek_app_times times;
    const int8_t *scores = ek_app_classify(frame->data, frame->type == CHUNK_PIXELS, &times);
    if (scores == NULL) {
        send_error(MODEL_FAILED, frame->sequence, (uint32_t)times.failure);
        return;
    }
    answer *result = &app.answers[app.next_answer];
    app.next_answer = (app.next_answer + 1u) % EK_FRAME_BUFFERS;
    memcpy(result->scores, scores, sizeof result->scores);
    result->invoke_ticks = times.invoke;
    result->preprocess_ticks = times.preprocess;
    result->sequence = frame->sequence;
    result->valid = true;
    send_prediction(result);
}

static const answer *find_answer(uint32_t sequence) {
    for (size_t i = 0; i < EK_FRAME_BUFFERS; i++) {
        if (app.answers[i].valid && app.answers[i].sequence == sequence) {
            return &app.answers[i];
        }
    }
    return NULL;
}

/* The buffer that is being filled with this frame, else a free one, else NULL. */
static frame_buffer *find_frame(uint32_t sequence) {
    frame_buffer *free_one = NULL;
    for (size_t i = 0; i < EK_FRAME_BUFFERS; i++) {
        if (app.frames[i].missing == 0) {
            free_one = &app.frames[i];
        } else if (app.frames[i].sequence == sequence) {
            return &app.frames[i];
        }
    }
    return free_one;
}

/* Store a chunk; returns 0, or the code of the error to answer with. */
static uint8_t store(frame_buffer *frame, const uint8_t *body, uint32_t offset, uint32_t count) {
    const uint32_t check = ek_get_u32(body + 9);
    if (offset % UNIT != 0 || offset >= EK_MODEL_INPUT_BYTES ||
        count > EK_MODEL_INPUT_BYTES - offset ||
        (count % UNIT != 0 && offset + count != EK_MODEL_INPUT_BYTES)) {
        return BAD_RANGE;
    }
    if (frame->missing == 0) {
        memset(frame->arrived, 0, sizeof frame->arrived);
        frame->sequence = ek_get_u32(body + 1);
        frame->check = check;
        frame->type = body[0];
        frame->missing = UNITS;
    } else if (frame->type != body[0] || frame->check != check) {
        return CONFLICT;
    }
    memcpy(frame->data + offset, body + EK_CHUNK_HEADER, count);
    const uint32_t end = (offset + count + UNIT - 1u) / UNIT;
    for (uint32_t unit = offset / UNIT; unit < end; unit++) {
        if (frame->arrived[unit] == 0) {
            frame->arrived[unit] = 1;
            frame->missing--;
        }
    }
    return 0;
}

/* Returns 0 when everything has been answered, or the code of the error to answer with. */
static uint8_t take_chunk(const uint8_t *body, uint32_t sequence, uint32_t offset, uint32_t count) {
    if (app.session == 0) {
        return NO_SESSION;
    }
    if (EK_MODEL_TABLES == 0 && body[0] == CHUNK_PIXELS) {
        return NO_PIXELS;
    }
    frame_buffer *frame = NULL;
    const answer *known = find_answer(sequence);
    if (known != NULL) {
        send_prediction(known);
    } else {
        frame = find_frame(sequence);
        uint8_t error = 0;
        if (count == 0) {
            /* An empty chunk only asks what is known of the frame. */
            error = frame == NULL || frame->missing == 0 ? UNKNOWN_FRAME : 0;
        } else {
            error = frame == NULL ? NO_BUFFER : store(frame, body, offset, count);
        }
        if (error != 0) {
            return error;
        }
    }
    send_ack(sequence, offset, count);
    if (frame != NULL && frame->missing == 0) {
        run(frame);
    }
    return 0;
}

static void open_session(uint32_t session) {
    if (session != 0 && session != app.session) {
        app.session = session;
        for (size_t i = 0; i < EK_FRAME_BUFFERS; i++) {
            app.frames[i].missing = 0;
            app.answers[i].valid = false;
        }
#ifdef EK_CAMERA
        ek_watch_start(0, 0); /* nobody has asked for its pictures yet */
#endif
    }
    send_hello();
}

/* Returns 0, or the code of the error to answer with. */
static uint8_t take_watch(const uint8_t *body) {
    if (app.session == 0) {
        return NO_SESSION;
    }
#ifdef EK_CAMERA
    ek_watch_start(ek_get_u32(body + 1), ek_get_u32(body + 5));
    return 0;
#else
    (void)body;
    return NO_CAMERA;
#endif
}

static void take_packet(const uint8_t *body, size_t size) {
    const uint8_t type = body[0];
    uint32_t sequence = type;
    uint32_t offset = 0;
    uint8_t error = 0;
    if (type == HELLO_REQUEST && size == 5) {
        open_session(ek_get_u32(body + 1));
    } else if ((type == CHUNK_PIXELS || type == CHUNK_TENSOR) && size >= EK_CHUNK_HEADER) {
        sequence = ek_get_u32(body + 1);
        offset = ek_get_u32(body + 5);
        error = take_chunk(body, sequence, offset, (uint32_t)(size - EK_CHUNK_HEADER));
    } else if (type == TRACE_REQUEST && size == 1) {
        error = send_trace();
    } else if (type == WATCH_REQUEST && size == 9) {
        error = take_watch(body);
    } else if (type < HELLO) {
        /* Not for types above: an echo of the device's own packets could go round for ever. */
        error = type >= HELLO_REQUEST && type <= WATCH_REQUEST ? BAD_LENGTH : UNKNOWN_TYPE;
    }
    if (error != 0) {
        send_error(error, sequence, offset);
    }
}

void ek_app_init(void) {
    memset(&app, 0, sizeof app);
#ifdef EK_CAMERA
    ek_watch_init();
#endif
    ek_port_init();
    send_hello();
}

void ek_app_poll(void) {
#ifdef EK_CAMERA
    /* What the host says goes first: it may want no more pictures. */
    if (!ek_port_pending() && ek_watch_poll(&app.sender)) {
        return;
    }
#endif
    uint8_t bytes[64];
    const size_t count = ek_port_read(bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        const size_t size = ek_receive(&app.receiver, bytes[i]);
        if (size > 0) {
            take_packet(app.receiver.body, size);
        }
    }
}
