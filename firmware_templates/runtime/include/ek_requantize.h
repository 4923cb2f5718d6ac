/* Requantisation: from a 32-bit accumulator to the next int8 tensor, without floating point.
 *
 * The reference that these kernels match bit for bit (LiteRT's BUILTIN_REF) rounds in two ways, by
 * operator. Each kernel says which one it uses; the host computes the multipliers.
 *
 * Two's complement and an arithmetic right shift of negative values are assumed, as every compiler
 * for our targets has them; ek_requantize_check refuses any other. */
#ifndef EK_REQUANTIZE_H
#define EK_REQUANTIZE_H

#include <stdint.h>

typedef char ek_requantize_check[((-3 >> 1) == -2 && (int32_t)0xFFFFFFFFu == -1) ? 1 : -1];

/* a + b modulo 2^32. */
static inline int32_t ek_add_wrap(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t ek_clamp(int32_t value, int32_t low, int32_t high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* a * b / 2^31 to the nearest integer, ties up. b is a multiplier: never INT32_MIN. */
static inline int32_t ek_multiply_high(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* value / 2^exponent to the nearest integer, ties away from zero; exponent 0..31. */
static inline int32_t ek_rounding_shift(int32_t value, int32_t exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + ((value & mask) > threshold ? 1 : 0);
}

/* Double rounding: acc * multiplier / 2^(31 + exponent) with an exponent of 1..31, a multiplier of
 * at least 0 and acc above INT32_MIN. Ties of the second rounding go away from zero: a negative
 * number is made smaller by 1, which changes the result of ties only, and 1 is added before the
 * last of the shifts, when there is room for it. */
static inline int32_t ek_requantize_down(int32_t acc, int32_t multiplier, int32_t exponent) {
    const int32_t product = ek_multiply_high(acc, multiplier);
    return (((product + (product >> 31)) >> (exponent - 1)) + 1) >> 1;
}

/* Double rounding: acc * multiplier * 2^(shift - 31). A positive shift is applied first, modulo
 * 2^32. */
static inline int32_t ek_requantize_twice(int32_t acc, int32_t multiplier, int32_t shift) {
    if (shift >= 0) {
        return ek_multiply_high((int32_t)((uint32_t)acc << shift), multiplier);
    }
    return ek_requantize_down(acc, multiplier, -shift);
}

/* Single rounding: acc * (multiplier + low / 2^31) / 2^shift to the nearest integer, ties away from
 * zero; multiplier and low are below 2^31, shift is 1..62 and the result fits 31 bits. */
static inline int32_t ek_requantize_once(int32_t acc, int32_t multiplier, int32_t low,
                                         int32_t shift) {
    const uint32_t magnitude = acc < 0 ? 0u - (uint32_t)acc : (uint32_t)acc;
    const uint64_t fraction = ((uint64_t)magnitude * (uint32_t)low) >> 31;
    const uint64_t product = (uint64_t)magnitude * (uint32_t)multiplier + fraction;
    const int32_t result = (int32_t)((product + (UINT64_C(1) << (shift - 1))) >> shift);
    return acc < 0 ? -result : result;
}

#endif
