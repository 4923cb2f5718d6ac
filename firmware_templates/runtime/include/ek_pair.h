/* Two neighbouring output pixels at a time: they share weights, and how results are rounded.
 *
 * Products of two pixels with the same weight: where multiplying 32 by 32 bits and adding to 64 is
 * one instruction, as on a Cortex-M3 and above, both products are made by one. Two input bytes lie
 * in a word, 23 bits apart, and the sums of their products stay apart in 64 bits as long as the
 * lower one fits 23 bits, which it does for EK_PAIR_BLOCK products. Elsewhere the two are 16-bit
 * numbers side by side, which need no sign extension and which compilers can put into vectors.
 *
 * EK_PAIR_WIDE set from outside to 0 or 1 chooses. Both give the same sums in the same memory. */
#ifndef EK_PAIR_H
#define EK_PAIR_H

#include <stdint.h>

#include "ek_requantize.h"

#ifndef EK_PAIR_WIDE
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) ||      \
    defined(__ARM_ARCH_8_1M_MAIN__)
#define EK_PAIR_WIDE 1
#else
#define EK_PAIR_WIDE 0
#endif
#endif

#define EK_PAIR_BYTES 4

#if defined(__GNUC__)
#define EK_NOINLINE __attribute__((noinline))
#else
#define EK_NOINLINE
#endif

#if EK_PAIR_WIDE

/* 248 * 128 * 128 is below 2^22. */
#define EK_PAIR_BLOCK 248
#define EK_PAIR_BITS 23

typedef int32_t ek_pair;
typedef int64_t ek_pair_sum;

static inline ek_pair ek_pair_of(int32_t first, int32_t second) {
    return first + second * (1 << EK_PAIR_BITS);
}

static inline ek_pair_sum ek_pair_zero(void) {
    return 0;
}

static inline ek_pair_sum ek_pair_add(ek_pair_sum sum, ek_pair pair, int32_t weight) {
    return sum + (int64_t)pair * weight;
}

static inline int32_t ek_pair_first(ek_pair_sum sum) {
    return (int32_t)((uint32_t)sum << (32 - EK_PAIR_BITS)) >> (32 - EK_PAIR_BITS);
}

static inline int32_t ek_pair_second(ek_pair_sum sum) {
    return (int32_t)((sum - ek_pair_first(sum)) >> EK_PAIR_BITS);
}

#else

#define EK_PAIR_BLOCK (1 << 30)

typedef struct {
    int16_t first;
    int16_t second;
} ek_pair;

typedef struct {
    int32_t first;
    int32_t second;
} ek_pair_sum;

static inline ek_pair ek_pair_of(int32_t first, int32_t second) {
    const ek_pair pair = {(int16_t)first, (int16_t)second};
    return pair;
}

static inline ek_pair_sum ek_pair_zero(void) {
    const ek_pair_sum sum = {0, 0};
    return sum;
}

static inline ek_pair_sum ek_pair_add(ek_pair_sum sum, ek_pair pair, int32_t weight) {
    sum.first += pair.first * weight;
    sum.second += pair.second * weight;
    return sum;
}

static inline int32_t ek_pair_first(ek_pair_sum sum) {
    return sum.first;
}

static inline int32_t ek_pair_second(ek_pair_sum sum) {
    return sum.second;
}

#endif

/* Where the results of two pixels go, which may be the same one, and how they get there. */
typedef struct {
    const int32_t *bias;       /* per channel */
    const int32_t *multiplier; /* per channel */
    const int8_t *shift;       /* per channel */
    int32_t zero_point;
    int32_t low;
    int32_t high;
    int8_t *first;
    int8_t *second;
} ek_pair_output;

/* Writes one channel of both pixels, given their sums of products. Not inlined: the caller would
 * lose registers to it. */
static EK_NOINLINE void ek_pair_write(const ek_pair_output *output, int32_t channel, int32_t first,
                                      int32_t second) {
    const int32_t multiplier = output->multiplier[channel];
    const int32_t shift = output->shift[channel];
    const int32_t bias = output->bias[channel];
    first = ek_requantize_twice(first + bias, multiplier, shift);
    second = ek_requantize_twice(second + bias, multiplier, shift);
    first = ek_clamp(ek_add_wrap(first, output->zero_point), output->low, output->high);
    second = ek_clamp(ek_add_wrap(second, output->zero_point), output->low, output->high);
    output->first[channel] = (int8_t)first;
    output->second[channel] = (int8_t)second;
}

#endif
