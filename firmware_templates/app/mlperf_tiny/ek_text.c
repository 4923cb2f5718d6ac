#include "ek_text.h"

#include <string.h>

#include "ek_port.h"

#define LIMBS 4u
#define MOST_DIGITS 20u

static void send(ek_text *text) {
    ek_port_write((const uint8_t *)text->out, text->used);
    text->used = 0;
}

void ek_put_bytes(ek_text *text, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text->used == sizeof text->out) {
            send(text);
        }
        text->out[text->used++] = bytes[i];
    }
}

void ek_put(ek_text *text, const char *string) {
    ek_put_bytes(text, string, strlen(string));
}

/* Divides 16 bits at a time: a 64-bit division would bring a library function to small processors.
 */
void ek_put_number(ek_text *text, uint64_t number) {
    uint32_t limbs[LIMBS];
    for (size_t i = 0; i < LIMBS; i++) {
        limbs[i] = (uint32_t)(number >> (48u - 16u * i)) & 0xFFFFu;
    }
    char digits[MOST_DIGITS];
    size_t first = MOST_DIGITS;
    uint32_t rest = 0;
    do {
        uint32_t remainder = 0;
        rest = 0;
        for (size_t i = 0; i < LIMBS; i++) {
            const uint32_t part = remainder << 16 | limbs[i];
            limbs[i] = part / 10u;
            remainder = part % 10u;
            rest |= limbs[i];
        }
        digits[--first] = (char)('0' + (char)remainder);
    } while (rest != 0);
    ek_put_bytes(text, digits + first, MOST_DIGITS - first);
}

void ek_put_hex(ek_text *text, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    const char pair[2] = {digits[byte >> 4], digits[byte & 15u]};
    ek_put_bytes(text, pair, sizeof pair);
}

void ek_put_end(ek_text *text) {
    ek_put_bytes(text, "\r\n", 2);
    send(text);
}
