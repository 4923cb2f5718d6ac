/* What the line can bring to the firmware with our protocol, packets with right checks among it.
 *
 * The input is records: an operation, a length, so many bytes. What the device answers must be
 * whole, undamaged packets of a device's types.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_frame.h"
#include "fuzz.h"
#include "model.h"
#include "sim_port.h"

enum { HELLO_REQUEST = 1, CHUNK = 2, WATCH_REQUEST = 5, FIRST_OF_DEVICE = 0x80, UNIT = 128 };
enum { RAW, FRAMED, DAMAGED, PIECE, FRAME, RESTART, BUSY, ROUNDS, WATCH, OPERATIONS };

static ek_receiver heard;
static ek_sender sender;
static uint8_t line[1u << 16];

static void fail(const char *what) {
    (void)fprintf(stderr, "%s\n", what);
    abort();
}

static void put_u32(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Byte `at` of the record, 0 behind its end. */
static uint32_t byte(const uint8_t *data, size_t size, size_t at) {
    return at < size ? data[at] : 0;
}

static void hear(void) {
    size_t count;
    while ((count = sim_take(line, sizeof line)) > 0) {
        for (size_t i = 0; i < count; i++) {
            const size_t size = ek_receive(&heard, line[i]);
            if (heard.dropped != 0 || heard.repaired != 0) {
                fail("the device sent a damaged packet");
            }
            if (size > 0 && heard.body[0] < FIRST_OF_DEVICE) {
                fail("the device sent a packet of the host's");
            }
        }
    }
}

/* Send a packet of this body, with bit `flip` of its bytes turned unless it is negative. */
static void say(const uint8_t *body, size_t size, int flip) {
    if (size == 0) {
        return;
    }
    hear(); /* the sender writes to where the answers stand */
    ek_send_begin(&sender, body[0]);
    ek_send_bytes(&sender, body + 1, size - 1);
    ek_send_end(&sender);
    const size_t bytes = sim_take(line, sizeof line);
    if (flip >= 0) {
        line[(size_t)flip / 8u % bytes] ^= (uint8_t)(1u << (flip & 7));
    }
    sim_arrive(line, bytes);
}

static size_t chunk_head(uint8_t *body, uint32_t tensor, uint32_t sequence, uint32_t offset,
                         uint32_t check) {
    body[0] = (uint8_t)(CHUNK + (tensor & 1u));
    put_u32(body + 1, sequence & 3u);
    put_u32(body + 5, offset);
    put_u32(body + 9, check);
    return EK_CHUNK_HEADER;
}

/* Some units of a frame; a few more bytes than whole ones now and then. */
static void say_piece(uint8_t operation, const uint8_t *data, size_t size) {
    uint8_t body[EK_CHUNK_HEADER + 8u * UNIT + 3u];
    memset(body, operation, sizeof body);
    const uint32_t length = byte(data, size, 3);
    size_t bytes = chunk_head(body, operation >> 6, byte(data, size, 0),
                              UNIT * (byte(data, size, 1) % 27u), byte(data, size, 2) & 1u);
    bytes += length % 9u * UNIT + (length > 250 ? 3u : 0u);
    const uint32_t flip = byte(data, size, 4);
    say(body, bytes < sizeof body ? bytes : sizeof body, flip > 200 ? (int)(flip * 8u) : -1);
}

/* A whole frame, mostly with the right check, so that the model runs. */
static void say_frame(uint8_t operation, const uint8_t *data, size_t size) {
    static uint8_t frame[EK_MODEL_INPUT_BYTES];
    uint8_t body[EK_CHUNK_HEADER + EK_CHUNK_MAX];
    memset(frame, operation, sizeof frame);
    for (size_t i = 0; i < size; i++) {
        frame[i * 11u % sizeof frame] = data[i];
    }
    const uint32_t wrong = byte(data, size, 7) > 240 ? 1u : 0u;
    const uint32_t check = ek_crc32(0, frame, sizeof frame, true) ^ wrong;
    const uint32_t flip = byte(data, size, 8);
    for (size_t offset = 0; offset < sizeof frame; offset += EK_CHUNK_MAX) {
        const size_t left = sizeof frame - offset;
        const size_t count = left < EK_CHUNK_MAX ? left : EK_CHUNK_MAX;
        const size_t head =
            chunk_head(body, operation >> 6, byte(data, size, 0), (uint32_t)offset, check);
        memcpy(body + head, frame + offset, count);
        say(body, head + count, flip > 220 ? (int)(flip * 8u + offset) : -1);
    }
}

static void say_watch(const uint8_t *data, size_t size) {
    uint8_t body[9] = {WATCH_REQUEST};
    put_u32(body + 1, byte(data, size, 0));
    put_u32(body + 5, byte(data, size, 1) % 4u);
#ifdef EK_CAMERA
    sim_camera((int)(byte(data, size, 2) % 3u));
#endif
    say(body, sizeof body, -1);
    sim_poll(3);
}

static void restart(void) {
    sim_reset();
    while (sim_take(line, sizeof line) > 0) { /* what it was sending is cut off */
    }
    memset(&heard, 0, sizeof heard);
}

static void obey(uint8_t operation, const uint8_t *data, size_t size) {
    switch (operation % OPERATIONS) {
    case RAW:
        sim_arrive(data, size);
        break;
    case FRAMED:
        say(data, size, -1);
        break;
    case DAMAGED:
        say(data, size, (int)byte(data, size, 0) * 3);
        break;
    case PIECE:
        say_piece(operation, data, size);
        break;
    case FRAME:
        say_frame(operation, data, size);
        break;
    case RESTART:
        restart();
        break;
    case BUSY:
        sim_queue(data, size);
        break;
    case ROUNDS:
        sim_poll(size % 7u);
        break;
    default:
        say_watch(data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t hello[5] = {HELLO_REQUEST, 7, 0, 0, 0};
    restart();
#ifdef EK_CAMERA
    sim_camera(SIM_CAMERA_WORKS);
#endif
    if (size > 0 && (data[0] & 1u) != 0) {
        say(hello, sizeof hello, -1);
    }
    size_t at = 1;
    while (at + 2 < size) {
        const uint8_t operation = data[at];
        const size_t left = size - at - 2;
        const size_t length = data[at + 1] < left ? data[at + 1] : left;
        obey(operation, data + at + 2, length);
        hear();
        at += 2 + length;
    }
    return 0;
}
