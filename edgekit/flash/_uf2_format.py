"""The UF2 file format: a binary as blocks of 512 bytes that each say where they go.

Source: https://github.com/microsoft/uf2, README.md. Two things are these boards' own: how a model's bytes are
ordered in external flash, and the word that Seeed's tool puts in front of a model for the SenseCAP A1101.
"""

import struct

BLOCK_BYTES = 512
_PAYLOAD_BYTES = 256
_MAGIC = (0x0A324655, 0x9E5D5157)
_MAGIC_END = 0x0AB16F30
_HAS_FAMILY = 0x2000
_MODEL_WORD = 0x4C485400


def blocks(content: bytes, address: int, family: int) -> bytes:
    """Return a .uf2 file that puts `content` at `address` of a family's chips; zeros fill its last block."""
    count = -(-len(content) // _PAYLOAD_BYTES)
    made = bytearray()
    for number in range(count):
        at = number * _PAYLOAD_BYTES
        payload = content[at : at + _PAYLOAD_BYTES]
        head = (*_MAGIC, _HAS_FAMILY, address + at, _PAYLOAD_BYTES, number, count, family)
        made += struct.pack("<8I476sI", *head, payload, _MAGIC_END)
    return bytes(made)


def model_words(model: bytes, slot: int, *, header: bool) -> bytes:
    """Return a model as external flash holds it: whole words of four bytes, each reversed.

    Args:
        model: the .tflite; up to three zeros are added.
        slot: 1 and up, named in the header.
        header: whether the word that says `model` stands in front; it is not reversed.
    """
    padded = model + bytes(-len(model) % 4)
    swapped = bytearray(len(padded))
    for i in range(4):
        swapped[i::4] = padded[3 - i :: 4]
    return (struct.pack(">I", _MODEL_WORD + slot) if header else b"") + bytes(swapped)
