"""A model in a flash partition of its own: what the firmware takes, and what it refuses at its start."""

import ctypes
import hashlib
import itertools
import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_models
import tflm_models

from edgekit import board, contract, process, resources
from edgekit.codegen import tflm, tflm_stored
from edgekit.codegen.generator import GeneratedModel
from edgekit.contract import Contract
from edgekit.device import model_failure
from edgekit.graph import tflite

SDK = Path(__file__).parents[1] / "sdk" / "tflm"
STORED = resources.firmware_templates() / "stored_model"
INCLUDES = (f"-I{SDK / 'include'}", f"-I{resources.firmware_templates() / 'app'}", f"-I{STORED}")
FLAGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-O1")
SANITISE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NOTHING, OTHER, ARENA = 6, 7, 3
SIZE_AT, ARENA_AT, DIGEST_AT, FIT_AT = 8, 12, 16, 48
Run = Callable[[bytes | None], list[str]]


def generated(data: bytes, agree: Callable[[Contract], Contract] = lambda found: found) -> GeneratedModel:
    graph = tflite.parse(data)
    target = board.choose(board.load("xiao_esp32s3"), runtime="tflm")
    return tflm.generate(data, graph, agree(contract.of(graph)), target, stored=True)


def sealed(packed: bytes) -> bytes:
    """Return the same with a digest that is right."""
    digest = hashlib.sha256(packed[:DIGEST_AT] + packed[FIT_AT:]).digest()
    return packed[:DIGEST_AT] + digest + packed[FIT_AT:]


def with_number(packed: bytes, at: int, number: int) -> bytes:
    return packed[:at] + struct.pack("<I", number) + packed[at + 4 :]


def retrained(data: bytes) -> bytes:
    """Return the model with one other weight."""
    weights = next(tensor for tensor in tflite.parse(data).tensors if tensor.is_constant and tensor.size > 99)
    assert weights.data is not None
    old = np.asarray(weights.data).tobytes()
    assert data.count(old) == 1
    return data.replace(old, bytes([old[0] ^ 1]) + old[1:])


@pytest.fixture(scope="module")
def made() -> GeneratedModel:
    return generated(tflm_models.convolutional())


@pytest.fixture(scope="module")
def program(made: GeneratedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program of the firmware's model, the scripted interpreter and a partition from a file."""
    folder = tmp_path_factory.mktemp("stored")
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    includes = [*INCLUDES, f"-I{folder}"]
    objects = []
    for source in (folder / "model_data.c", *STORED.glob("*.c"), SDK / "partition.c"):
        objects.append(str(folder / f"{source.stem}.o"))
        process.run(["gcc", "-std=c11", *FLAGS, *SANITISE, *includes, "-c", str(source), "-o", objects[-1]])
    sources = [str(folder / "ek_tflm.cc"), str(SDK / "peer.cc")]
    process.run(
        ["g++", "-std=c++17", *FLAGS, *SANITISE, *includes, *sources, *objects, "-o", str(folder / "peer")]
    )
    return folder / "peer"


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Run:
    """Return a function that starts the firmware over a partition: see tests/sdk/tflm/peer.cc."""

    def start(content: bytes | None) -> list[str]:
        env = dict(os.environ)
        if content is not None:
            (tmp_path / "partition").write_bytes(content)
            env["PARTITION"] = str(tmp_path / "partition")
        # The partition is never given back, which is no leak on the board.
        env["ASAN_OPTIONS"] = "detect_leaks=0"
        done = subprocess.run([program], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return start


def failure(said: list[str]) -> int:
    """Return why nothing runs: the same at every call."""
    null, *reasons = map(int, said[0].split()[:4])
    assert null == 1
    assert len(set(reasons)) == 1
    return reasons[0]


def test_the_model_of_the_partition_runs_and_says_who_it_is(run: Run, made: GeneratedModel) -> None:
    packed = made.files["model.bin"]
    for content in (packed, packed + b"\xff" * 5000):
        said = run(content)
        assert said[0] == "1 0 0 0 7 8 9 10"
        assert said[2] == made.model_digest + made.contract_digest
        assert bytes.fromhex(said[3])[4:] == b"TFL3"


def test_the_firmware_itself_does_not_hold_the_model(made: GeneratedModel) -> None:
    assert "ek_model_data" not in "".join(made.files[name].decode() for name in ("model.h", "model_data.c"))
    assert len(made.files["model_data.c"]) < 1000
    assert made.stored_bytes == len(made.files["model.bin"]) == tflm_stored.HEADER_BYTES + made.weight_bytes
    assert made.files["model.bin"][tflm_stored.HEADER_BYTES :] == tflm_models.convolutional()
    assert tflm_stored.HEADER_BYTES % 16 == 0


def test_a_retrained_model_needs_no_other_firmware(run: Run, made: GeneratedModel) -> None:
    other = generated(retrained(tflm_models.convolutional()))
    assert other.model_digest != made.model_digest
    same = {name: content for name, content in made.files.items() if name != "model.bin"}
    assert same == {name: content for name, content in other.files.items() if name != "model.bin"}
    said = run(other.files["model.bin"])
    assert said[0] == "1 0 0 0 7 8 9 10"
    assert said[2] == other.model_digest + other.contract_digest


def test_what_is_not_a_whole_model_is_not_looked_at(run: Run, made: GeneratedModel) -> None:
    packed = made.files["model.bin"]
    size = len(packed) - tflm_stored.HEADER_BYTES
    wrong = [
        None,
        b"",
        b"EKSM",
        b"\xff" * 4096,
        packed[:143],
        packed[:144],
        packed[:-1],
        tflm_models.convolutional(),
        sealed(b"TFL3" + packed[4:]),
        sealed(with_number(packed, 4, 2)),
        sealed(with_number(packed[:144], SIZE_AT, 0)),
        *(with_number(packed, SIZE_AT, number) for number in (size - 1, size + 1, 2**31, 2**32 - 1)),
        *(with_number(packed, SIZE_AT, 2**32 - number) for number in (144, 96, 80)),
    ]
    for content in wrong:
        said = run(content)
        assert failure(said) == NOTHING
        assert said[2] == "00" * 64
        assert said[3] == ""


def test_no_byte_can_change_unnoticed(run: Run, made: GeneratedModel) -> None:
    packed = made.files["model.bin"]
    for at in (*range(0, 144, 12), 144, 160, len(packed) // 2, len(packed) - 1):
        damaged = packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1 :]
        assert failure(run(damaged)) == NOTHING, at


def test_a_model_for_other_firmware_is_refused_but_named(run: Run, made: GeneratedModel) -> None:
    for data in (tflm_models.convolutional(middle="L2_NORMALIZATION"), small_models.classifier()):
        other = generated(data)
        said = run(other.files["model.bin"])
        assert failure(said) == OTHER
        assert said[2] == other.model_digest + other.contract_digest
    # Layers of other sizes need nothing else of the firmware than memory.
    narrower = generated(tflm_models.convolutional(stride=2))
    assert narrower.arena_bytes < made.arena_bytes
    assert failure(run(narrower.files["model.bin"])) == 0


def test_a_model_that_needs_more_memory_is_refused(run: Run, made: GeneratedModel) -> None:
    packed = made.files["model.bin"]
    assert failure(run(sealed(with_number(packed, ARENA_AT, made.arena_bytes + 1)))) == ARENA
    assert run(sealed(with_number(packed, ARENA_AT, made.arena_bytes - 1)))[0] == "1 0 0 0 7 8 9 10"


def test_what_the_firmware_is_made_of_decides_what_fits(made: GeneratedModel) -> None:
    agreed = made.contract
    shape = agreed.input_shape
    kept = ("lib 1.0", ("AddConv2D", "AddMean"), 2, agreed, b"table")
    others = [
        ("lib 1.1", *kept[1:]),
        ("lib 1.0", ("AddConv2D",), *kept[2:]),
        (*kept[:2], 3, *kept[3:]),
        (*kept[:3], replace(agreed, input_shape=(*shape[:-1], shape[-1] + 1)), kept[4]),
        (*kept[:4], b"other"),
    ]
    found = [tflm_stored.fit(*case) for case in (kept, *others)]
    assert len(set(found)) == len(found)
    scaled = replace(agreed, output_scale=agreed.output_scale * 2)
    assert tflm_stored.fit(*kept[:3], scaled, kept[4]) == found[0]


def test_sha256(tmp_path: Path) -> None:
    out = tmp_path / "sha256.so"
    flags = ["-std=c11", *FLAGS, "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    process.run(["gcc", *flags, str(STORED / "ek_sha256.c"), "-o", str(out)])
    c = ctypes.CDLL(str(out))
    rng = np.random.default_rng(1)
    cases = [rng.bytes(size) for size in (*range(131), 1000, 100_003)]
    for data, piece in itertools.product(cases, (7, 64, 1 << 20)):
        if piece == 7 and len(data) > 2000:
            continue
        state, digest = ctypes.create_string_buffer(256), ctypes.create_string_buffer(32)
        c.ek_sha256_begin(state)
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            c.ek_sha256_add(state, part, ctypes.c_size_t(len(part)))
        c.ek_sha256_end(state, digest)
        assert digest.raw == hashlib.sha256(data).digest(), len(data)


def test_the_host_has_words_for_the_reasons() -> None:
    for reason, words in ((NOTHING, "no whole model in its flash partition"), (OTHER, "for other firmware")):
        assert words in model_failure.model_failure(reason).message
