"""Whatever is sent, the sanitized firmware answers as the reference does, and no byte more."""

import random
from pathlib import Path

import pytest
from mlperf.boards import CASES, SANITIZE, Talk, firmware
from mlperf.reference import mask

from edgekit import board
from edgekit.emulator import RunningBoard

WORDS = (
    *("name", "timestamp", "profile", "help", "db", "db load", "db print", "infer", "results", "-1", "0"),
    *("1", "2", "192", "193", "2147483648", "-9999999999", "+3", "infer 2 1", "db load 20", "db load 192"),
)


def command(chance: random.Random, input_bytes: int) -> bytes:
    """Return one command: right, nearly right, or noise; mostly ended, sometimes not."""
    match chance.randrange(8):
        case 0:
            data = chance.randbytes(chance.randrange(200))
        case 1:
            data = bytes([chance.choice(b" 0afzZ\0\r\n\xff")]) * chance.randrange(1, 2000)
        case 2:
            data = " ".join(chance.choices(WORDS, k=chance.randrange(1, 5))).encode()
        case 3:
            data = f"db load {chance.choice([1, input_bytes, chance.randrange(300)])}".encode()
        case 4:
            spoilt = bytearray(f"db {chance.randbytes(chance.randrange(45)).hex()}".encode())
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            data = bytes(spoilt)
        case 5:
            data = f"infer {chance.randrange(-1, 3)} {chance.randrange(-1, 3)}".encode()
        case _:
            data = f"db {chance.randbytes(chance.randrange(1, 39)).hex()}".encode()
    return data + (b"%" if chance.random() < 0.95 else b"")


@pytest.mark.parametrize("name", sorted(CASES))
def test_hostile_input(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    chance = random.Random(6)
    reference = case.reference()
    image = firmware(case, tmp_path, "host", compiler="gcc", cflags=SANITIZE)
    sent = 0
    with RunningBoard(image, board.load("host")) as running:
        talk = Talk(running.connect())
        assert mask(talk.answers(1)) == reference.boot()
        while sent < 200_000:
            commands = [command(chance, case.contract.input_bytes) for _ in range(25)]
            data = b"".join((*commands, b"%"))
            # In pieces as the line may bring them: their borders must not matter.
            assert talk.say(data) == mask(reference.feed(data)), data
            sent += len(data)
        assert talk.silent()
    assert (running.exit_code(), running.last_words()) == (0, "")
