"""UF2 files: the vendor tool's own bytes, and what a reader of the format finds in them."""

import hashlib
import random
import struct

import pytest

from edgekit.flash._uf2_format import blocks, model_words

FAMILY = 0xEF32C892
CONTENT = bytes(range(256)) * 20


def read(file: bytes) -> tuple[int, bytes]:
    """Return (address, content) as a bootloader would understand a file, every field checked."""
    assert len(file) % 512 == 0
    count = len(file) // 512
    address, content = 0, b""
    for number in range(count):
        block = file[number * 512 : (number + 1) * 512]
        first, second, flags, target, size, index, whole, family = struct.unpack_from("<8I", block)
        assert (first, second, *struct.unpack("<I", block[508:])) == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        assert (flags, size, index, whole, family) == (0x2000, 256, number, count, FAMILY)
        assert block[288:508] == bytes(220)
        address = address if number else target
        assert target == address + number * 256
        content += block[32:288]
    return address, content


# Made by Seeed's uf2conv.py from the same input.
@pytest.mark.parametrize(
    ("file", "digest"),
    [
        (
            blocks(CONTENT, 0x10000000, FAMILY),
            "95696c2ecdf8ddccb6bbf5bf56ed455fce24cdfacd17d2e8500fd0c7e80feea4",
        ),
        (
            blocks(model_words(CONTENT, 1, header=False), 0x30000000, FAMILY),
            "c411a71650d741de1971e6ae518d75ec21dcf1a226a7b39c786f18dd4218eb1d",
        ),
        (
            blocks(model_words(CONTENT, 1, header=True), 0x30000000, FAMILY),
            "1218ecb30f226994e2e3c88b02c1161a40e14dad025d4e5a47bf1c4a079f1d53",
        ),
    ],
    ids=["firmware", "model", "model with header"],
)
def test_vendor_vectors(file: bytes, digest: str) -> None:
    assert hashlib.sha256(file).hexdigest() == digest


@pytest.mark.parametrize("size", [1, 3, 4, 255, 256, 257, 5_000])
def test_a_reader_finds_the_content(size: int) -> None:
    content = random.Random(size).randbytes(size)
    address, found = read(blocks(content, 0x10000000, FAMILY))
    assert address == 0x10000000
    assert found == content.ljust(len(found), b"\0")
    assert len(found) - size < 256


@pytest.mark.parametrize(
    ("model", "stored"),
    [
        (b"abcd", b"dcba"),
        (b"abcdefgh", b"dcbahgfe"),
        (b"abcde", b"dcba\0\0\0e"),
        (b"abcdefg", b"dcba\0gfe"),
    ],
)
def test_words_are_reversed_and_the_last_one_is_filled_up(model: bytes, stored: bytes) -> None:
    assert model_words(model, 2, header=False) == stored
    assert model_words(model, 2, header=True) == bytes.fromhex("4c485402") + stored
