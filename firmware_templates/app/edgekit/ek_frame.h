/* Packets on a byte stream: 0x00, COBS(body, CRC-32), 0x00. No allocation, no buffer beyond one
 * packet. */

#ifndef EK_FRAME_H
#define EK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EK_CRC_BYTES 4u
#define EK_CHUNK_HEADER 13u /* type u8, sequence u32, offset u32, frame check u32 */
#define EK_CHUNK_MAX 1024u  /* bytes of a frame in one chunk */
#define EK_BODY_MAX (EK_CHUNK_HEADER + EK_CHUNK_MAX + EK_CRC_BYTES)

/* The receiving half: undoes COBS byte by byte into `body`. All zero is its start. */
typedef struct {
    uint32_t dropped;  /* packets that failed a check, boot noise included */
    uint32_t repaired; /* chunks in which one flipped bit was put right */
    uint16_t size;     /* bytes in body */
    uint8_t code;      /* the code byte of the current COBS block */
    uint8_t left;      /* bytes that the current block still needs */
    bool started;      /* something stands since the last delimiter */
    bool too_long;
    uint8_t body[EK_BODY_MAX];
} ek_receiver;

/* The sending half: COBS and CRC-32 on the way, so a packet may be of any length. */
typedef struct {
    uint32_t crc;
    uint16_t used; /* bytes in out */
    uint16_t code; /* where the current block's code byte will stand */
    uint8_t out[512];
} ek_sender;

/* The CRC-32 of zlib over `size` bytes, or over the same from the last to the first; `crc` is 0 or
 * the result so far. Backwards it finds what the CRC of the chunks cannot. */
uint32_t ek_crc32(uint32_t crc, const uint8_t *data, size_t size, bool backwards);

/* Little-endian, from any alignment. */
uint32_t ek_get_u32(const uint8_t *data);

/* Take one byte from the line. Returns the size of the body without its CRC when a valid packet has
 * just ended, else 0. The body stays until the next call. */
size_t ek_receive(ek_receiver *receiver, uint8_t byte);

/* Send one packet: begin, any number of the middle ones, end. */
void ek_send_begin(ek_sender *sender, uint8_t type);
void ek_send_bytes(ek_sender *sender, const void *data, size_t size);
void ek_send_u32(ek_sender *sender, uint32_t value);
void ek_send_end(ek_sender *sender);

#endif
