/* SOFTMAX in fixed point, after gemmlowp: the exponentials of the 256 possible differences from the
 * row's largest value come from the host as a table; the device adds them, takes the reciprocal of
 * the sum by three Newton steps, and multiplies. Rounds twice. */
#include "ek_nn.h"

/* 1 / (1 + x) in Q0.31 for x in Q0.31, 0 <= x < 1: Newton's iteration in Q2.29 for 2 / (1 + x),
 * from the line 48/17 - 32/17 * (1 + x) / 2. */
static int32_t ek_softmax_reciprocal(int32_t x) {
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1); /* (1 + x) / 2, ties up */
    int32_t guess = 1515870810 + ek_multiply_high(half, -1010580540);
    for (int i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - ek_multiply_high(half, guess);
        guess += ek_multiply_high(guess, error) * 4;
    }
    return guess > (INT32_MAX >> 1) ? INT32_MAX : guess * 2;
}

static void ek_softmax_row(const ek_softmax_params *params, const int8_t *input, int8_t *output) {
    const int32_t *exponentials = params->exponentials;
    int32_t largest = INT8_MIN;
    for (int32_t i = 0; i < params->depth; i++) {
        largest = input[i] > largest ? input[i] : largest;
    }
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < params->depth; i++) {
        const int32_t difference = largest - input[i];
        if (difference < params->exponentials_size) {
            sum += ek_rounding_shift(exponentials[difference], 12);
        }
    }
    /* sum = (1 + fraction) * 2^bits, and at least 1 for the largest value itself */
    int32_t bits = 0;
    while ((sum >> (bits + 1)) >= (1 << 19)) {
        bits++;
    }
    const uint32_t normal = (uint32_t)sum << (12 - bits);
    const int32_t scale = ek_softmax_reciprocal((int32_t)(normal - (UINT32_C(1) << 31)));
    for (int32_t i = 0; i < params->depth; i++) {
        const int32_t difference = largest - input[i];
        int32_t result = INT8_MIN;
        /* from a sum of 512 on, every probability is below 1/512; the reference stops there */
        if (difference < params->exponentials_size && bits <= 8) {
            const int32_t product = ek_multiply_high(scale, exponentials[difference]);
            result += ek_rounding_shift(product, bits + 23);
        }
        output[i] = (int8_t)ek_clamp(result, INT8_MIN, INT8_MAX);
    }
}

void ek_softmax_s8(const ek_softmax_params *params, const int8_t *input, int8_t *output,
                   void *scratch) {
    (void)scratch;
    for (int32_t row = 0; row < params->rows; row++) {
        ek_softmax_row(params, input, output);
        input += params->depth;
        output += params->depth;
    }
}
