/* Feeds the device what a line can bring: noise, packets with lies in them, packets that were
 * damaged.
 *
 * Usage: fuzz SEED ROUNDS. Built with AddressSanitizer and UndefinedBehaviorSanitizer, which end
 * the program at the first fault; so does an answer that is no valid packet. Prints how many bytes
 * the device has taken and sent, and how many predictions and pieces of frames of its own camera.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ek_app.h"
#include "ek_config.h"
#include "ek_frame.h"
#include "model.h"
#include "sim_port.h"

enum { WATCH_REQUEST = 5, SEEN = 0x86, PICTURE = 0x87 };

static uint64_t state;

static uint32_t next(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static size_t stuff(const uint8_t *body, size_t size, uint8_t *out) {
    size_t used = 1;
    size_t code = 0;
    for (size_t i = 0; i < size; i++) {
        if (used - code == 255) {
            out[code] = 255;
            code = used++;
        }
        if (body[i] == 0) {
            out[code] = (uint8_t)(used - code);
            code = used++;
        } else {
            out[used++] = body[i];
        }
    }
    out[code] = (uint8_t)(used - code);
    return used;
}

static void put_u32(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t some_offset(void) {
    switch (next(8)) {
    case 0:
        return 0xFFFFFFFFu - next(2048);
    case 1:
        return next(EK_MODEL_INPUT_BYTES + 256u);
    case 2:
        return 0x80000000u + 128u * next(64);
    default:
        return 128u * next(EK_MODEL_INPUT_BYTES / 128u + 3u);
    }
}

/* A body that is well formed or nearly so. */
static size_t make_body(uint8_t *body) {
    static const uint8_t types[10] = {1, 1, 1, 4, 4, 0, 5, 0x7F, 0x81, 0xFF};
    const uint32_t pick = next(20);
    body[0] = pick < 10 ? (uint8_t)(2 + pick % 2u) : types[pick - 10];
    size_t size = 1;
    if (body[0] == 2 || body[0] == 3) {
        put_u32(body + 1, next(10) == 0 ? next(0xFFFFFFFFu) : next(4));
        put_u32(body + 5, some_offset());
        put_u32(body + 9, next(3));
        const uint32_t count = next(4) == 0 ? next(1200) : 128u * next(10);
        for (uint32_t i = 0; i < count; i++) {
            body[13 + i] = (uint8_t)next(256);
        }
        size = 13 + count;
    } else if (body[0] == WATCH_REQUEST) {
        put_u32(body + 1, next(8) == 0 ? 0xFFFFFFFFu - next(2) : next(20));
        put_u32(body + 5, next(8) == 0 ? 0xFFFFFFFFu - next(2) : next(4));
        size = 9;
    } else {
        size += next(3) == 0 ? next(40) : 4;
        for (size_t i = 1; i < size; i++) {
            body[i] = (uint8_t)next(3);
        }
    }
    if (next(16) == 0) {
        size = 1 + next((uint32_t)size);
    }
    return size;
}

/* A whole frame, mostly with the right check, so that the model runs too. */
static size_t send_frame(uint32_t seq) {
    static uint8_t frame[EK_MODEL_INPUT_BYTES];
    uint8_t body[EK_BODY_MAX];
    uint8_t line[2 * EK_BODY_MAX];
    const uint8_t type = (uint8_t)(2 + next(2));
    const uint32_t wrong = next(6) == 0 ? 1 : 0;
    size_t total = 0;
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (uint8_t)next(256);
    }
    for (uint32_t offset = 0; offset < sizeof frame; offset += EK_CHUNK_MAX) {
        const size_t left = sizeof frame - offset;
        const size_t count = left < EK_CHUNK_MAX ? left : EK_CHUNK_MAX;
        body[0] = type;
        put_u32(body + 1, seq);
        put_u32(body + 5, offset);
        put_u32(body + 9, ek_crc32(0, frame, sizeof frame, true) ^ wrong);
        memcpy(body + 13, frame + offset, count);
        put_u32(body + 13 + count, ek_crc32(0, body, 13 + count, false));
        line[0] = 0;
        const size_t size = stuff(body, 17 + count, line + 1);
        line[1 + size] = 0;
        if (next(4) == 0) {
            line[1 + next((uint32_t)size)] ^= (uint8_t)(1u << next(8));
        }
        sim_arrive(line, size + 2);
        total += size + 2;
    }
    return total;
}

static size_t send_something(uint8_t *body, uint8_t *line) {
    size_t size;
    if (next(6) == 0) {
        size = next(3000);
        for (size_t i = 0; i < size; i++) {
            line[i] = (uint8_t)next(next(2) == 0 ? 3 : 256);
        }
    } else {
        const size_t length = make_body(body);
        put_u32(body + length, ek_crc32(0, body, length, false));
        line[0] = 0;
        size = 1 + stuff(body, length + 4, line + 1);
        line[size++] = 0;
        for (uint32_t damage = next(4) == 0 ? 1 + next(4) : 0; damage > 0; damage--) {
            line[next((uint32_t)size)] = (uint8_t)next(256);
        }
        if (next(10) == 0) {
            size = next((uint32_t)size);
        }
    }
    if (next(4) == 0) {
        sim_queue(line, size);
    } else {
        sim_arrive(line, size);
    }
    return size;
}

/* Read all that the device has sent; it must be whole packets of its own. */
static size_t check_answers(size_t *seen, size_t *pictures) {
    static uint8_t answer[65536];
    static ek_receiver receiver;
    size_t sent = 0;
    for (size_t count; (count = sim_take(answer, sizeof answer)) > 0; sent += count) {
        for (size_t i = 0; i < count; i++) {
            const size_t size = ek_receive(&receiver, answer[i]);
            if (receiver.dropped > 0 || receiver.repaired > 0) {
                fputs("the device sent a damaged packet\n", stderr);
                exit(1);
            }
            if (size > 0 && receiver.body[0] < 0x80) {
                fputs("the device sent a packet of the host's\n", stderr);
                exit(1);
            }
            *seen += size > 0 && receiver.body[0] == SEEN;
            *pictures += size > 0 && receiver.body[0] == PICTURE;
        }
    }
    return sent;
}

/* The device idles a while: it may look into its camera, if that works. */
static void idle(void) {
#ifdef EK_CAMERA
    sim_camera(next(40) == 0 ? (int)(1 + next(2)) : SIM_CAMERA_WORKS);
#endif
    sim_poll(next(6));
}

int main(int argc, char **argv) {
    static uint8_t body[2048];
    static uint8_t line[4096];
    if (argc != 3) {
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    const unsigned long rounds = strtoul(argv[2], NULL, 10);
    size_t taken = 0;
    size_t sent = 0;
    size_t seen = 0;
    size_t pictures = 0;
    sim_reset();
    for (unsigned long round = 0; round < rounds; round++) {
        if (next(500) == 0) {
            sim_reset();
        }
        taken += next(12) == 0 ? send_frame(next(4)) : send_something(body, line);
        idle();
        sent += check_answers(&seen, &pictures);
    }
    printf("%zu %zu %zu %zu\n", taken, sent, seen, pictures);
    return 0;
}
