#include "ek_frame.h"

#include "ek_port.h"

#define POLYNOMIAL 0xEDB88320u

uint32_t ek_crc32(uint32_t crc, const uint8_t *data, size_t size, bool backwards) {
    /* Half a byte at a time: 64 bytes of table, about half as fast as 1 KiB of it. */
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[backwards ? size - 1u - i : i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

uint32_t ek_get_u32(const uint8_t *data) {
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

/* A CRC is linear: one flipped bit changes it by an amount that depends only on how far the bit is
 * from the end, and at these lengths no two places share one. `difference` is the change that was
 * seen. */
static bool repair(uint8_t *data, size_t size, uint32_t difference) {
    if ((difference & (difference - 1u)) == 0) {
        return true; /* the bit was one of the CRC's own */
    }
    uint32_t change = POLYNOMIAL;
    for (size_t bit = size * 8u; bit > 0;) {
        bit--;
        if (change == difference) {
            data[bit / 8u] ^= (uint8_t)(1u << (bit & 7u));
            return true;
        }
        change = (change >> 1) ^ (POLYNOMIAL & (0u - (change & 1u)));
    }
    return false;
}

static size_t packet_end(ek_receiver *receiver) {
    size_t size = receiver->size;
    if (size <= EK_CRC_BYTES || receiver->left != 0 || receiver->too_long) {
        receiver->dropped++;
        return 0;
    }
    size -= EK_CRC_BYTES;
    uint32_t difference =
        ek_crc32(0, receiver->body, size, false) ^ ek_get_u32(receiver->body + size);
    if (difference != 0) {
        /* Only chunks are worth it, and only they have a second check behind this one. */
        if (size <= EK_CHUNK_HEADER || !repair(receiver->body, size, difference)) {
            receiver->dropped++;
            return 0;
        }
        receiver->repaired++;
    }
    return size;
}

static void append(ek_receiver *receiver, uint8_t byte) {
    if (receiver->size < EK_BODY_MAX) {
        receiver->body[receiver->size++] = byte;
    } else {
        receiver->too_long = true;
    }
}

size_t ek_receive(ek_receiver *receiver, uint8_t byte) {
    size_t size = 0;
    if (byte == 0) {
        if (receiver->started) {
            size = packet_end(receiver);
        }
        receiver->size = 0;
        receiver->left = 0;
        receiver->started = false;
        receiver->too_long = false;
    } else if (receiver->left > 0) {
        receiver->left--;
        append(receiver, byte);
    } else {
        if (receiver->started && receiver->code != 0xFF) {
            append(receiver, 0);
        }
        receiver->started = true;
        receiver->code = byte;
        receiver->left = (uint8_t)(byte - 1u);
    }
    return size;
}

static void close_block(ek_sender *sender) {
    sender->out[sender->code] = (uint8_t)(sender->used - sender->code);
    if (sender->used > sizeof sender->out / 2u) {
        ek_port_write(sender->out, sender->used);
        sender->used = 0;
    }
    sender->code = sender->used++;
}

static void put(ek_sender *sender, uint8_t byte) {
    if (sender->used - sender->code == 255) {
        close_block(sender);
    }
    if (byte == 0) {
        close_block(sender);
    } else {
        sender->out[sender->used++] = byte;
    }
}

void ek_send_begin(ek_sender *sender, uint8_t type) {
    sender->crc = 0;
    sender->out[0] = 0;
    sender->code = 1;
    sender->used = 2;
    ek_send_bytes(sender, &type, 1);
}

void ek_send_bytes(ek_sender *sender, const void *data, size_t size) {
    const uint8_t *bytes = data;
    sender->crc = ek_crc32(sender->crc, bytes, size, false);
    for (size_t i = 0; i < size; i++) {
        put(sender, bytes[i]);
    }
}

void ek_send_u32(ek_sender *sender, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    ek_send_bytes(sender, bytes, sizeof bytes);
}

void ek_send_end(ek_sender *sender) {
    ek_send_u32(sender, sender->crc);
    sender->out[sender->code] = (uint8_t)(sender->used - sender->code);
    sender->out[sender->used++] = 0;
    ek_port_write(sender->out, sender->used);
}
