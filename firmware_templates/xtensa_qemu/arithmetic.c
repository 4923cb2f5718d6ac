/* What Debian's libgcc for the lx106 lacks: in an ESP8266 it is in ROM. */
#include <stdint.h>

int64_t __muldi3(int64_t left, int64_t right);
uint32_t __udivsi3(uint32_t numerator, uint32_t denominator);
uint32_t __umodsi3(uint32_t numerator, uint32_t denominator);
int32_t __divsi3(int32_t numerator, int32_t denominator);

static uint64_t product(uint32_t left, uint32_t right) {
    const uint32_t low = (left & 0xFFFFu) * (right & 0xFFFFu);
    const uint32_t middle1 = (left >> 16) * (right & 0xFFFFu);
    const uint32_t middle2 = (left & 0xFFFFu) * (right >> 16);
    const uint32_t carry = (low >> 16) + (middle1 & 0xFFFFu) + (middle2 & 0xFFFFu);
    const uint32_t high =
        (left >> 16) * (right >> 16) + (middle1 >> 16) + (middle2 >> 16) + (carry >> 16);
    return (uint64_t)high << 32 | ((low & 0xFFFFu) | carry << 16);
}

int64_t __muldi3(int64_t left, int64_t right) {
    const uint32_t left_low = (uint32_t)left;
    const uint32_t right_low = (uint32_t)right;
    const uint32_t left_high = (uint32_t)((uint64_t)left >> 32);
    const uint32_t right_high = (uint32_t)((uint64_t)right >> 32);
    const uint32_t high = left_high * right_low + left_low * right_high;
    return (int64_t)(product(left_low, right_low) + ((uint64_t)high << 32));
}

/* One bit a round, from the highest that the quotient can have. */
static uint32_t divide(uint32_t numerator, uint32_t denominator, uint32_t *rest) {
    uint32_t quotient = 0;
    if (denominator != 0 && numerator >= denominator) {
        int shift = __builtin_clz(denominator) - __builtin_clz(numerator);
        uint32_t part = denominator << shift;
        for (; shift >= 0; shift--, part >>= 1) {
            quotient <<= 1;
            if (numerator >= part) {
                numerator -= part;
                quotient |= 1u;
            }
        }
    }
    *rest = numerator;
    return quotient;
}

uint32_t __udivsi3(uint32_t numerator, uint32_t denominator) {
    uint32_t rest;
    return divide(numerator, denominator, &rest);
}

uint32_t __umodsi3(uint32_t numerator, uint32_t denominator) {
    uint32_t rest;
    (void)divide(numerator, denominator, &rest);
    return rest;
}

static uint32_t magnitude(int32_t value) {
    return value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
}

int32_t __divsi3(int32_t numerator, int32_t denominator) {
    uint32_t rest;
    const uint32_t quotient = divide(magnitude(numerator), magnitude(denominator), &rest);
    return (int32_t)((numerator < 0) != (denominator < 0) ? 0u - quotient : quotient);
}
