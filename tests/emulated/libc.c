/* Checks the C library of the bare-metal firmware against loops that are plain to see. It ends as a
 * crash does where a function is wrong, with the case in the registers' place. */
#include <stdbool.h>
#include <string.h>

#include "machine.h"

/* Or the compiler would turn the loops into calls of the functions that they check. */
#define PLAIN_LOOPS __attribute__((optimize("no-tree-loop-distribute-patterns")))

enum {
    DISTANCE = 64,
    LENGTH = 130,
    ALIGNMENTS = 4,
    GUARD = 8, /* bytes on each side that must not change */
    BYTES = GUARD + DISTANCE + LENGTH + DISTANCE + ALIGNMENTS + GUARD,
};

/* Called through these, so that the compiler does not put code of its own in their place. */
static void *(*volatile copy)(void *restrict, const void *restrict, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile fill)(void *, int, size_t) = memset;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
static size_t (*volatile length_of)(const char *) = strlen;

static _Alignas(16) uint8_t block[BYTES];
static _Alignas(16) uint8_t other[BYTES];

int main(void);

static uint8_t pattern(size_t place) {
    return (uint8_t)(place * 37u + (place >> 3) + 11u);
}

PLAIN_LOOPS static void restore(uint8_t *bytes, size_t first, size_t end) {
    for (size_t i = first; i < end; i++) {
        bytes[i] = pattern(i);
    }
}

static _Noreturn void wrong(const char *function, int distance, size_t length, size_t alignment) {
    const uint32_t values[] = {(uint32_t)distance, (uint32_t)length, (uint32_t)alignment};
    machine_fault(function, "distance length alignment", values);
}

/* Whether `length` bytes at `target` have the pattern from `source` on, and those around their own.
 */
PLAIN_LOOPS static bool moved(size_t target, size_t source, size_t length) {
    bool right = true;
    for (size_t i = 0; i < length; i++) {
        right &= block[target + i] == pattern(source + i);
    }
    for (size_t i = 1; i <= GUARD; i++) {
        right &= block[target - i] == pattern(target - i);
        right &= block[target + length + i - 1] == pattern(target + length + i - 1);
    }
    return right;
}

static void check_moves(int distance, size_t length, size_t alignment) {
    const size_t source = GUARD + DISTANCE + alignment;
    const size_t target = (size_t)((int)source + distance);
    if (move(block + target, block + source, length) != block + target ||
        !moved(target, source, length)) {
        wrong("memmove", distance, length, alignment);
    }
    restore(block, target, target + length);
    /* The compiler may copy a structure to itself. */
    const size_t apart = (size_t)(distance < 0 ? -distance : distance);
    if (apart >= length || apart == 0) {
        if (copy(block + target, block + source, length) != block + target ||
            !moved(target, source, length)) {
            wrong("memcpy", distance, length, alignment);
        }
        restore(block, target, target + length);
    }
}

PLAIN_LOOPS static void check_fill(int value, size_t length, size_t alignment) {
    const size_t target = GUARD + alignment;
    bool right = fill(block + target, value, length) == block + target;
    for (size_t i = 0; i < length; i++) {
        right &= block[target + i] == (uint8_t)value;
    }
    restore(block, target, target + length);
    if (!right || !moved(target, target, length)) {
        wrong("memset", value, length, alignment);
    }
}

/* Two equal runs of bytes, and a difference at each place of them in both directions. */
static void check_compare(size_t length, size_t left, size_t right) {
    const uint8_t *one = block + left;
    uint8_t *two = other + right;
    for (size_t i = 0; i < length; i++) {
        two[i] = one[i];
    }
    two[length] = (uint8_t)~one[length];
    bool good = compare(one, two, length) == 0;
    for (size_t i = 0; i < length; i++) {
        two[i] ^= 0x80u; /* as signed bytes they would compare the other way round */
        const bool less = one[i] < two[i];
        good &= (compare(one, two, length) < 0) == less && (compare(two, one, length) > 0) == less;
        two[i] = one[i];
    }
    if (!good) {
        wrong("memcmp", (int)right - (int)left, length, left);
    }
}

static void check_length(size_t length, size_t alignment) {
    char *text = (char *)other + alignment;
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)(1u + i);
    }
    text[length] = '\0';
    if (length_of(text) != length) {
        wrong("strlen", 0, length, alignment);
    }
}

int main(void) {
    restore(block, 0, sizeof block);
    for (size_t length = 0; length <= LENGTH; length++) {
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            for (int distance = -DISTANCE; distance <= DISTANCE; distance++) {
                check_moves(distance, length, alignment);
            }
            check_fill(0, length, alignment);
            check_fill(0x80, length, alignment);
            check_fill(0x1FF, length, alignment);
            check_length(length, alignment);
        }
        for (size_t pair = 0; pair < ALIGNMENTS * ALIGNMENTS; pair += length % 3 + 1) {
            check_compare(length, pair / ALIGNMENTS, pair % ALIGNMENTS);
        }
    }
    machine_print("the C library is right\n");
    return 0;
}
