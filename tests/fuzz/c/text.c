/* The firmware's MLPerf Tiny protocol: the input is what the line brings; '%' ends a command.
 *
 * Runs of more than two digits are cut, unless "db load" stands before them: nobody waits for a
 * million inferences. Each command must be answered, and with whole lines.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ek_app.h"
#include "ek_mlperf.h"
#include "fuzz.h"
#include "sim_port.h"

#define S4 "0.125", "0.250", "-1.50", "99.99"
#define S16 S4, S4, S4, S4
#define S64 S16, S16, S16, S16
const char ek_mlperf_scores[256][EK_MLPERF_SCORE_CHARS + 1] = {S64, S64, S64, S64};

enum { PIECE_BYTES = 200, MOST_DIGITS = 2 };

static uint8_t answers[1u << 20];

/* Whether what was said so far ends in the only words before a number that nobody waits for. */
static bool loads(const uint8_t *text, size_t size) {
    static const char words[] = "db load ";
    const size_t length = sizeof words - 1;
    return size >= length && memcmp(text + size - length, words, length) == 0;
}

static size_t without_long_numbers(const uint8_t *data, size_t size, uint8_t *text) {
    size_t used = 0;
    size_t digits = 0;
    bool loading = false;
    for (size_t i = 0; i < size; i++) {
        const bool is_digit = data[i] >= '0' && data[i] <= '9';
        loading = digits > 0 ? loading : loads(text, used);
        digits = is_digit ? digits + 1 : 0;
        if (digits <= MOST_DIGITS || loading) {
            text[used++] = data[i];
        }
    }
    return used;
}

static size_t count_ready(size_t size) {
    static const char ready[] = "m-ready\r\n";
    size_t found = 0;
    for (size_t i = 0; i + sizeof ready - 1 <= size; i++) {
        found += memcmp(answers + i, ready, sizeof ready - 1) == 0 ? 1u : 0u;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *text = malloc(size + 1);
    if (text == NULL) {
        abort();
    }
    const size_t used = without_long_numbers(data, size, text);
    sim_reset();
    (void)sim_take(answers, sizeof answers);
    for (size_t at = 0; at < used; at += PIECE_BYTES) {
        const size_t count = used - at < PIECE_BYTES ? used - at : PIECE_BYTES;
        size_t commands = 0;
        for (size_t i = 0; i < count; i++) {
            commands += text[at + i] == '%' ? 1u : 0u;
        }
        sim_arrive(text + at, count);
        const size_t said = sim_take(answers, sizeof answers);
        /* A command that is not known is repeated, and may hold these words itself. */
        if (count_ready(said) < commands || (said > 0 && answers[said - 1] != '\n')) {
            (void)fprintf(stderr, "%zu commands, %zu bytes of answers\n", commands, said);
            abort();
        }
    }
    free(text);
    return 0;
}
