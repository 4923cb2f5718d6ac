/* The MLPerf Tiny device protocol, performance mode: docs/reference/mlperf-tiny.md. */

#include "ek_app.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ek_config.h"
#include "ek_mlperf.h"
#include "ek_port.h"
#include "ek_text.h"
#include "model.h"

#define COMMAND_END '%'
#define COMMAND_CHARS 80u /* of a longer command, what follows is dropped */
#define BYTES_PER_LINE 8u
#define WARMUP_RUNS 10
#define FIRMWARE "ULPMark for tinyML Firmware V0.0.1"

#ifndef EK_FRAMES_ATTRIBUTE
#define EK_FRAMES_ATTRIBUTE /* in the memory where everything else is */
#endif

/* Part of a command; not terminated. */
typedef struct {
    const char *text;
    size_t size;
} word;

static struct {
    _Alignas(4) uint8_t data[EK_MODEL_INPUT_BYTES]; /* what `db` has brought */
    uint32_t expected;                              /* bytes that `db load` announced */
    uint32_t loaded;                                /* and how many of them are here */
    size_t size;                                    /* of the command so far */
    char command[COMMAND_CHARS];
    ek_text text;
} app EK_FRAMES_ATTRIBUTE;

static void line(const char *string) {
    ek_put(&app.text, string);
    ek_put_end(&app.text);
}

/* `before`, a number, `after`, and the end of the line. */
static void number_line(const char *before, uint64_t number, const char *after) {
    ek_put(&app.text, before);
    ek_put_number(&app.text, number);
    line(after);
}

static void timestamp(void) {
    number_line("m-lap-us-", ek_port_ticks(), "");
}

/* Take the next word off the front of `rest`; of size 0 when there is none. */
static word next_word(word *rest) {
    while (rest->size > 0 && rest->text[0] == ' ') {
        rest->text++;
        rest->size--;
    }
    word found = {rest->text, 0};
    while (found.size < rest->size && found.text[found.size] != ' ') {
        found.size++;
    }
    rest->text += found.size;
    rest->size -= found.size;
    return found;
}

static bool is(word found, const char *name) {
    return found.size == strlen(name) && memcmp(found.text, name, found.size) == 0;
}

/* The number at the front of a word, as atoi reads it, but saturated; 0 if there is none. */
static int32_t to_number(word found) {
    size_t i = 0;
    const bool negative = found.size > 0 && found.text[0] == '-';
    if (found.size > 0 && (negative || found.text[0] == '+')) {
        i = 1;
    }
    int32_t number = 0;
    for (; i < found.size && found.text[i] >= '0' && found.text[i] <= '9'; i++) {
        const int32_t digit = found.text[i] - '0';
        number = number > (INT32_MAX - digit) / 10 ? INT32_MAX : number * 10 + digit;
    }
    return negative ? -number : number;
}

/* The value of a hexadecimal digit, or -1. */
static int32_t to_nibble(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Starts anew; after an error nothing is expected. */
static void db_load(word *rest) {
    const word count = next_word(rest);
    app.loaded = 0;
    app.expected = 0;
    if (count.size == 0) {
        line("e-[Command 'db load' requires the # of bytes]");
        return;
    }
    const int32_t bytes = to_number(count);
    if (bytes <= 0) {
        line("e-[Command 'db load' must be >0 bytes]");
        return;
    }
    if ((uint32_t)bytes > EK_MODEL_INPUT_BYTES) {
        ek_put(&app.text, "Supplied buffer size ");
        ek_put_number(&app.text, (uint32_t)bytes);
        number_line(" exceeds maximum of ", EK_MODEL_INPUT_BYTES, "");
        return;
    }
    app.expected = (uint32_t)bytes;
    number_line("m-[Expecting ", app.expected, " bytes]");
}

static void db_print(void) {
    for (uint32_t i = 0; i < app.expected; i++) {
        ek_put(&app.text, i % BYTES_PER_LINE == 0 ? "m-buffer-" : "-");
        ek_put_hex(&app.text, app.data[i]);
        if (i % BYTES_PER_LINE == BYTES_PER_LINE - 1u || i + 1u == app.expected) {
            ek_put_end(&app.text);
        }
    }
}

/* Bytes before a wrong digit stay; digits after the last byte are not looked at. */
static void db_bytes(word digits) {
    if (digits.size % 2u != 0) {
        line("e-[Insufficent number of hex digits]");
        return;
    }
    for (size_t i = 0; i < digits.size && app.loaded < app.expected; i += 2u) {
        const int32_t high = to_nibble(digits.text[i]);
        const int32_t low = to_nibble(digits.text[i + 1u]);
        if (high < 0 || low < 0) {
            ek_put(&app.text, "e-[Invalid hex digit '");
            ek_put_bytes(&app.text, digits.text + i, 2);
            line("']");
            return;
        }
        app.data[app.loaded++] = (uint8_t)(high * 16 + low);
        if (app.loaded == app.expected) {
            line("m-load-done");
        }
    }
}

static void db(word *rest) {
    const word next = next_word(rest);
    if (next.size == 0) {
        line("e-[Command 'db' requires a subcommand]");
    } else if (is(next, "load")) {
        db_load(rest);
    } else if (is(next, "print")) {
        db_print();
    } else {
        db_bytes(next);
    }
}

/* A run overwrites its input, so each one begins by writing it again: the only work between the
 * timestamps beside the model's. */
static bool run(int32_t count) {
    ek_app_times times;
    for (int32_t i = 0; i < count; i++) {
        if (ek_app_classify(app.data, EK_MODEL_TABLES > 0, &times) == NULL) {
            number_line("e-[The model failed: ", (uint32_t)times.failure, "]");
            return false;
        }
    }
    return true;
}

static void results(void) {
    const int8_t *scores = ek_app_scores();
    if (scores == NULL) {
        line("e-[The model has not started]");
        return;
    }
    ek_put(&app.text, "m-results-[");
    for (size_t i = 0; i < EK_MODEL_OUTPUT_BYTES; i++) {
        ek_put(&app.text, i == 0 ? "" : ",");
        ek_put(&app.text, ek_mlperf_scores[scores[i] + 128]);
    }
    line("]");
}

static void infer(word *rest) {
    const word first = next_word(rest);
    const word second = next_word(rest);
    const int32_t count = first.size > 0 ? to_number(first) : 1;
    const int32_t warmup = second.size > 0 ? to_number(second) : WARMUP_RUNS;
    if (count <= 0) {
        line("e-[Inference iterations must be >0]");
        return;
    }
    if (warmup < 0) {
        line("e-[Inference warmup must be >=0]");
        return;
    }
    number_line("m-warmup-start-", (uint32_t)warmup, "");
    if (!run(warmup)) {
        return;
    }
    line("m-warmup-done");
    number_line("m-infer-start-", (uint32_t)count, "");
    timestamp();
    if (!run(count)) {
        return;
    }
    timestamp();
    line("m-infer-done");
    results();
}

static void help(void) {
    line(FIRMWARE);
    line("name           the vendor of this device");
    line("timestamp      the device's clock");
    line("profile        the firmware and the model");
    line("db load N      expect N bytes of input");
    line("db HEX...      some of these bytes");
    line("db print       show them");
    line("infer [N [W]]  N timed runs after W others; 1 and 10 if left out");
    line("results        the scores of the last run");
}

static void obey(word rest) {
    const word command = next_word(&rest);
    if (is(command, "name")) {
        line("m-name-dut-[" EK_MLPERF_VENDOR "]");
    } else if (is(command, "timestamp")) {
        timestamp();
    } else if (is(command, "profile")) {
        line("m-profile-[" FIRMWARE "]");
        line("m-model-[" EK_MLPERF_MODEL "]");
    } else if (is(command, "help")) {
        help();
    } else if (is(command, "db")) {
        db(&rest);
    } else if (is(command, "infer")) {
        infer(&rest);
    } else if (is(command, "results")) {
        results();
    } else if (command.size > 0) {
        ek_put(&app.text, "e-[Unknown command: ");
        ek_put_bytes(&app.text, command.text, command.size);
        line("]");
    }
    line("m-ready");
}

void ek_app_init(void) {
    memset(&app, 0, sizeof app);
    ek_port_init();
    line("m-timestamp-mode-performance");
    timestamp();
    line("m-init-done");
    line("m-ready");
}

void ek_app_poll(void) {
    uint8_t bytes[64];
    const size_t count = ek_port_read(bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == (uint8_t)COMMAND_END) {
            const word command = {app.command, app.size};
            app.size = 0;
            obey(command);
        } else if (app.size < COMMAND_CHARS) {
            app.command[app.size++] = (char)bytes[i];
        }
    }
}
