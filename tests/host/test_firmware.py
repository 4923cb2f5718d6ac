"""Whole firmware images as processes: they compute what the oracle computes, and survive hostile input."""

import random
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from host.conversation import DEADLINE_S, classify
from tflite_builder import Node, Value, build_graph

from edgekit import board, contract
from edgekit.codegen.generator import generate
from edgekit.device import frame as wire
from edgekit.device.frame import PacketType
from edgekit.emulator import RunningBoard
from edgekit.firmware import build, project
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.graph import tflite
from edgekit.oracle import Oracle

HOST = board.load("host")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def small_classifier() -> bytes:
    """Return a model of 6x6 RGB images: a convolution, a mean, a fully connected layer, a softmax."""
    rng = np.random.default_rng(7)
    return build_graph(
        [
            Value((1, 6, 6, 3), scales=(1 / 255,), zero_points=(-128,)),
            Value(
                (4, 3, 3, 3),
                scales=(0.01, 0.02, 0.005, 0.01),
                zero_points=(0,) * 4,
                data=rng.integers(-127, 128, (4, 3, 3, 3)),
            ),
            Value(
                (4,),
                "int32",
                scales=tuple(s / 255 for s in (0.01, 0.02, 0.005, 0.01)),
                zero_points=(0,) * 4,
                data=rng.integers(-999, 999, 4),
            ),
            Value((1, 6, 6, 4), scales=(0.02,), zero_points=(-128,)),
            Value((2,), "int32", data=np.array([1, 2])),
            Value((1, 4), scales=(0.01,), zero_points=(-128,)),
            Value((5, 4), scales=(0.02,), zero_points=(0,), data=rng.integers(-127, 128, (5, 4))),
            Value((5,), "int32", scales=(0.0002,), zero_points=(0,), data=rng.integers(-99, 99, 5)),
            Value((1, 5), scales=(0.05,), zero_points=(3,)),
            Value((1, 5), scales=(1 / 256,), zero_points=(-128,)),
        ],
        [
            Node(
                "CONV_2D",
                [0, 1, 2],
                [3],
                {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"},
            ),
            Node("MEAN", [3, 4], [5], {"keep_dims": False}),
            Node("FULLY_CONNECTED", [5, 6, 7], [8]),
            Node("SOFTMAX", [8], [9], {"beta": 1.0}),
        ],
        inputs=[0],
        outputs=[9],
    )


def firmware(
    model: bytes, folder: Path, compiler: str, *, debug: bool = False, cflags: tuple[str, ...] = ()
) -> FirmwareImage:
    graph = tflite.parse(model)
    made = project.assemble(generate(graph, contract.of(graph)), HOST, Firmware(debug=debug))
    project.write(made, folder)
    return build.build(folder, HOST, compiler=compiler, cflags=cflags)


def rows(image: FirmwareImage, frames: np.ndarray, kind: PacketType) -> np.ndarray:
    """Return the scores that the firmware answers with; it must also end in order."""
    with RunningBoard(image, HOST) as running:
        session, results = classify(running.connect(), [frame.tobytes() for frame in frames], kind)
    assert (running.exit_code(), running.last_words()) == (0, "")
    hello = session.hello
    assert hello is not None
    assert hello.board == "host"
    assert session.statistics.retransmissions == 0
    return np.stack([np.frombuffer(result.answer.scores, np.int8) for result in results])


@pytest.mark.parametrize(
    ("compiler", "debug", "cflags"),
    [("gcc", False, ()), ("gcc", True, SANITIZE), ("gcc", False, ("-O0",)), ("ziglang", False, ())],
    ids=["gcc", "gcc-debug-sanitized", "gcc-O0", "ziglang"],
)
def test_a_small_model_answers_as_the_oracle(
    tmp_path: Path, compiler: str, debug: bool, cflags: tuple[str, ...]
) -> None:
    model = small_classifier()
    image = firmware(model, tmp_path / "out", compiler, debug=debug, cflags=cflags)
    frames = np.random.default_rng(1).integers(0, 256, (200, 6, 6, 3), dtype=np.uint8)
    tensors = (frames.astype(np.int16) - 128).astype(np.int8)
    expected = Oracle(model).run(tensors)
    assert np.array_equal(rows(image, frames, PacketType.CHUNK_PIXELS), expected)
    assert np.array_equal(rows(image, tensors, PacketType.CHUNK_TENSOR), expected)


@pytest.mark.parametrize("compiler", ["gcc", "ziglang"])
def test_the_public_resnet_answers_as_the_oracle(
    tmp_path: Path, anchor: Callable[[str], Path], compiler: str
) -> None:
    model = anchor("ic01_resnet8_int8").read_bytes()
    image = firmware(model, tmp_path / "out", compiler)
    frames = np.random.default_rng(1).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    expected = Oracle(model).run((frames.astype(np.int16) - 128).astype(np.int8))
    assert np.array_equal(rows(image, frames, PacketType.CHUNK_PIXELS), expected)


def hostile(chance: random.Random, size: int) -> bytes:
    """Return what a line may bring: noise, packets that are nearly right, and right ones."""
    body: bytes
    match chance.randrange(6):
        case 0:
            return chance.randbytes(chance.randrange(1, 3000))
        case 1:
            return bytes([chance.randrange(256)]) * chance.randrange(1, 3000)
        case 2:
            body = bytes([chance.choice([*PacketType, 0, 255])]) + chance.randbytes(chance.randrange(40))
            return wire.encode(body)
        case 3:
            return wire.encode_hello_request(chance.choice([0, 1, 2, 0xFFFFFFFF]))
        case 4:
            return wire.encode_trace_request()
        case _:
            seq = chance.choice([0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(8)])
            offset = chance.choice([0, 128, size, size - 1, 0xFFFFFF80, chance.randrange(2 * size)])
            kind = chance.choice([PacketType.CHUNK_PIXELS, PacketType.CHUNK_TENSOR])
            data = chance.randbytes(chance.choice([0, 1, size, 128, 1024, 1025, chance.randrange(2000)]))
            packet = wire.encode_chunk(kind, seq, offset, chance.randrange(1 << 32), data)
            if chance.random() < 0.3:
                spoilt = bytearray(packet)
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
                return bytes(spoilt[: chance.randrange(1, len(spoilt) + 1)])
            return packet


def drain(line: socket.socket) -> None:
    """Throw away what has arrived."""
    line.settimeout(0)
    try:
        while line.recv(65536):
            pass
    except BlockingIOError:
        pass


def test_nothing_that_is_sent_breaks_the_firmware(tmp_path: Path) -> None:
    model = small_classifier()
    image = firmware(model, tmp_path / "out", "gcc", debug=True, cflags=SANITIZE)
    frames = np.random.default_rng(2).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8)
    expected = Oracle(model).run((frames.astype(np.int16) - 128).astype(np.int8))
    chance = random.Random(3)
    with RunningBoard(image, HOST) as running:
        line = running.connect()
        for _ in range(20):
            for _ in range(200):
                line.settimeout(DEADLINE_S)
                line.sendall(hostile(chance, 108))
                drain(line)
            # After all that it still answers, and rightly.
            _, results = classify(line, [frame.tobytes() for frame in frames], PacketType.CHUNK_PIXELS)
            answers = np.stack([np.frombuffer(r.answer.scores, np.int8) for r in results])
            assert np.array_equal(answers, expected)
    assert (running.exit_code(), running.last_words()) == (0, "")
