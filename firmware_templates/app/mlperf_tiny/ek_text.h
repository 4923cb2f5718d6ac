/* Lines of text on the port, without stdio. */

#ifndef EK_TEXT_H
#define EK_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Collects what is put into it and sends it a line at a time. All zero is its start. */
typedef struct {
    size_t used;
    char out[128];
} ek_text;

void ek_put(ek_text *text, const char *string);
void ek_put_bytes(ek_text *text, const char *bytes, size_t size);

/* In decimal. */
void ek_put_number(ek_text *text, uint64_t number);

/* Two digits, lower case. */
void ek_put_hex(ek_text *text, uint8_t byte);

/* End the line and send what is there. */
void ek_put_end(ek_text *text);

#endif
