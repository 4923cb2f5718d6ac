/* Word by word where both ends are aligned, or where the processor does not mind. */
#include <stdint.h>
#include <string.h>

/* Or the compiler would turn these loops into calls of the functions that they are in. */
#define PLAIN_LOOPS __attribute__((optimize("no-tree-loop-distribute-patterns")))

#if defined(__ARM_FEATURE_UNALIGNED)
#define MISALIGNED(left, right) 0u
#else
#define MISALIGNED(left, right) (((uintptr_t)(left) | (uintptr_t)(right)) & 3u)
#endif

#if defined(__ARM_FEATURE_UNALIGNED)
typedef uint32_t __attribute__((may_alias, aligned(1))) word;
#else
typedef uint32_t __attribute__((may_alias)) word;
#endif

/* From the first byte to the last, so the target may overlap a source that lies behind it. No
 * pointer here is `restrict`, which would let the compiler store before it has loaded. */
PLAIN_LOOPS static void *forwards(void *target, const void *source, size_t size) {
    uint8_t *out = target;
    const uint8_t *in = source;
    if (MISALIGNED(out, in) == 0) {
        for (; size >= 16; size -= 16, out += 16, in += 16) {
            const word *from = (const void *)in;
            word *to = (void *)out;
            const uint32_t a = from[0];
            const uint32_t b = from[1];
            const uint32_t c = from[2];
            const uint32_t d = from[3];
            to[0] = a;
            to[1] = b;
            to[2] = c;
            to[3] = d;
        }
        for (; size >= 4; size -= 4, out += 4, in += 4) {
            *(word *)(void *)out = *(const word *)(const void *)in;
        }
    }
    for (; size > 0; size--) {
        *out++ = *in++;
    }
    return target;
}

/* The same code under another name: it asks for less than a caller of memcpy promises. */
void *memcpy(void *restrict target, const void *restrict source, size_t size)
    __attribute__((alias("forwards")));

PLAIN_LOOPS void *memmove(void *target, const void *source, size_t size) {
    uint8_t *out = target;
    const uint8_t *in = source;
    if ((uintptr_t)out - (uintptr_t)in >= size) {
        return forwards(target, source, size);
    }
    while (size > 0) {
        size--;
        out[size] = in[size];
    }
    return target;
}

PLAIN_LOOPS void *memset(void *target, int value, size_t size) {
    uint8_t *out = target;
    const uint8_t byte = (uint8_t)value;
    for (; size > 0 && ((uintptr_t)out & 3u) != 0; size--) {
        *out++ = byte;
    }
    const uint32_t all = byte * 0x01010101u;
    for (; size >= 4; size -= 4, out += 4) {
        *(word *)(void *)out = all;
    }
    for (; size > 0; size--) {
        *out++ = byte;
    }
    return target;
}

PLAIN_LOOPS int memcmp(const void *left, const void *right, size_t size) {
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (; size > 0; size--, a++, b++) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}

PLAIN_LOOPS size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}
