"""Targets that read what people, tools and other programs wrote into files: TOML, JSON, tables, ELF."""

import contextlib
import functools
import hashlib
import json
import struct
from types import SimpleNamespace
from typing import Any, cast

import click
import numpy as np
import small_models

from edgekit import board, contract, resources, settings
from edgekit.bench import compare
from edgekit.cli import _options
from edgekit.emulator import batch, counter
from edgekit.errors import FlashError, ModelError, ToolError
from edgekit.firmware import flasher_args, layout, manifest, symbols
from edgekit.firmware.families import esp32s3
from edgekit.firmware.image import RECORD, FirmwareImage
from edgekit.flash import _drive, _esptool_facts, _volumes, xmodem
from edgekit.flash import uf2 as uf2_flash
from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.json_object import JsonObject
from fuzz.target import Target, board_of, scratch, written

# TOML


def project_file(data: bytes) -> None:
    """An edgekit.toml, and its values as the options of the commands read them."""
    written(settings.FILE_NAME, data)
    found = settings.load(scratch())
    options: dict[str, click.ParamType[Any]] = {
        "input.size": _options.Size(),
        "input.mean": _options.Numbers(),
        "input.std": _options.Numbers(),
        "model.labels": _options.Labels(),
        "accuracy.max_drop": _options.Real(min=0),
    }
    for key, option in options.items():
        value = found.get(key)
        if value is not None:
            with contextlib.suppress(click.UsageError):
                option.convert(value, None, None)


def _project_seeds() -> list[bytes]:
    return [
        b'schema = 1\n[model]\nsource = "model.onnx"\noutput = "model.tflite"\nlabels = ["cat", "dog"]\n'
        b'[input]\nsize = "32x32"\ncolor = "rgb"\nresize = "squash"\nmean = [0.5, 0.5, 0]\nstd = [1, 1, 1]\n'
        b'[data]\ncalibration = "c"\neval = "e"\nsource = "s"\n[accuracy]\nmax_drop = 0.02\n'
        b'[board]\nid = "host"\nport = "auto"\n[build]\nout = "build"\n',
        b'schema = 1\n[input]\nsize = 32\n[model]\nlabels = "labels.txt"\n',
    ]


def board_file(data: bytes) -> None:
    """A board file of the user's own, and its flash method's facts."""
    target = board.load(written("mine.toml", data))
    board.verification(target)
    for runtime in target.build.runtimes:
        board.choose(target, runtime=runtime)
    facts = {"uf2": uf2_flash._read, "xmodem": xmodem._read, "esptool": _esptool_facts.read}
    if target.flash.method in facts:
        facts[target.flash.method](target)
    if target.build.template == "esp32s3":
        esp32s3.read(target)


def _board_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(resources.boards().glob("*.toml"))]


# JSON


def contract_text(data: bytes) -> None:
    """The contract inside a model; what was read is written and read again."""
    agreed = contract.from_json(data)
    assert contract.from_json(agreed.to_json()) == agreed


def _contracts() -> list[bytes]:
    graphs = [tflite.parse(small_models.classifier()), tflite.parse(small_models.fully_connected())]
    return [contract.of(graph).to_json() for graph in graphs]


def json_object(data: bytes) -> None:
    """Any JSON, read as each type of field by the key that it has."""
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return
    reader = JsonObject(root, "fuzz")
    reads = (
        reader.child,
        reader.string,
        reader.number,
        reader.numbers,
        reader.strings,
        reader.shape,
        lambda key: reader.choice(key, ["a", "b"]),
        lambda key: reader.integer(key, -128, 127),
        lambda key: reader.base64(key, 3),
    )
    for key in list(reader.value)[:20]:
        for read in reads:
            with contextlib.suppress(ModelError):
                read(key)


def _json_seeds() -> list[bytes]:
    return [
        b'{"a": "x", "b": 7, "c": [1, 2.5, 1e400], "d": {"e": null}, "f": "YWJj", "g": ["s"], "h": [1, 8]}',
        b'{"a": true, "b": -1e308, "c": 12345678901234567890, "d": "\\ud800", "e": NaN}',
    ]


def project_record(data: bytes) -> None:
    """The edgekit.json of a firmware project."""
    written(manifest.NAME, data)
    manifest.read(scratch())


def _manifests() -> list[bytes]:
    digest = "0" * 64
    fields = {"board": "host", "model_digest": digest, "contract_digest": digest, "debug": False}
    fields |= {"protocol": "edgekit", "complete": True, "files": {"src/main.c": digest, "Makefile": digest}}
    return [manifest.to_json(fields)]


def image_record(data: bytes) -> None:
    """The image.json beside a built firmware."""
    written("firmware.elf", b"abc")
    written(RECORD, data)
    FirmwareImage.load(scratch())


def _images() -> list[bytes]:
    digest = hashlib.sha256(b"abc").hexdigest()
    part = {"name": "app", "offset": 65536, "path": "firmware.elf", "size_bytes": 3, "sha256": digest}
    how = {
        "mode": "dio",
        "freq": "80m",
        "size": "4MB",
        "before": "default-reset",
        "after": "hard-reset",
    }
    section = {"name": ".text", "address": 4096, "bytes": 3, "load_address": None}
    fields = {"schema": 1, "path": "firmware.elf", "board_id": "host", "size_bytes": 3, "compiler": "gcc"}
    fields |= {"model_digest": digest, "contract_digest": digest, "project_digest": digest, "sha256": digest}
    fields |= {"debug": False, "protocol": "edgekit", "sections": [section], "parts": [part]}
    fields |= {"flash_settings": {**how, "stub": True, "chip": "esp32s3"}}
    return [json.dumps(fields).encode(), json.dumps({**fields, "flash_settings": None}).encode()]


def flasher(data: bytes) -> None:
    """The flasher_args.json of an ESP-IDF build, and the files that it names."""
    written("app.bin", b"abc")
    flasher_args.parts(flasher_args.parse(data), scratch())


def _flasher_seeds() -> list[bytes]:
    fields: dict[str, Any] = {
        "write_flash_args": ["--flash_mode", "dio", "--flash_size", "4MB", "--flash_freq", "80m"],
        "flash_settings": {"flash_mode": "dio", "flash_size": "4MB", "flash_freq": "80m"},
        "flash_files": {"0x10000": "app.bin"},
        "app": {"offset": "0x10000", "file": "app.bin", "encrypted": "false"},
        "extra_esptool_args": {
            "after": "hard_reset",
            "before": "default_reset",
            "stub": True,
            "chip": "esp32s3",
        },
    }
    more = {"0x0": "bootloader/bootloader.bin", "0x8000": "partition_table/partition-table.bin"}
    return [json.dumps(fields).encode(), json.dumps(fields | {"flash_files": more}).encode()]


def bench(data: bytes) -> None:
    """An earlier `edgekit bench --json`, and the comparison with it."""
    before = compare.load(written("bench.json", data))
    changes = [
        compare.Change(key, value, 1) for key in compare.FIGURES if isinstance(value := before.get(key), int)
    ]
    compare.check(tuple(changes), 1e30)
    assert all(compare._short(before.get(key)) for key in compare._SAME)


def _bench_seeds() -> list[bytes]:
    figures = dict.fromkeys(compare.FIGURES, 1000)
    return [json.dumps({"board": "host", "model_digest": "0" * 64, "frames_sha256": "1", **figures}).encode()]


# Plain texts


@functools.cache
def _graph() -> Graph:
    return tflite.parse(small_models.classifier())


def labels(data: bytes) -> None:
    """A file with one label a line, and the labels in a contract."""
    try:
        found = _options.Labels().convert(str(written("labels.txt", data)), None, None)
    except click.UsageError:
        return
    contract.for_graph(_graph(), preprocess=None, labels=found, oracle="").to_json()


def uf2(data: bytes) -> None:
    """The INFO_UF2.TXT of a drive, and the system's list of mounted drives."""
    written("INFO_UF2.TXT", data)
    for ids in ((), ("groveai-v1",)):
        expected = _drive.Expected("fuzz", ("GROVEAI",), ids, ("other",))
        with contextlib.suppress(FlashError):
            _drive._check_board(scratch(), expected)
    (scratch() / "proc").mkdir(exist_ok=True)
    written("proc/mounts", data)
    _volumes.on_linux(("GROVEAI",), scratch(), "fuzz")


def counts(data: bytes) -> None:
    """The counts that QEMU's plugin writes."""
    counter.read(written("counts.txt", data), 2, 3)


# Binary


def scores(data: bytes) -> None:
    """The file of scores that firmware in QEMU writes."""
    path = written(batch.SCORES, data)
    part = cast(Any, SimpleNamespace(frames=np.zeros((2, 4), np.uint8), scores=path))
    image = cast(Any, SimpleNamespace(contract_digest="01" * 32, model_digest="02" * 32))
    record = np.dtype([("preprocess", "<u8"), ("invoke", "<u8"), ("scores", "i1", (3,))])
    batch._joined([batch._read(part, image, record)], "instructions")


def _scores_seeds() -> list[bytes]:
    one = struct.pack("<2Q", 5, 6) + b"abc"
    return [b"EKS1" + b"\1" * 32 + b"\2" * 32 + one * 2 + b"EKE1" + struct.pack("<I", 900)]


def elf(data: bytes) -> None:
    """A linked firmware: its symbols, its sections, and what they take of a board."""
    with contextlib.suppress(ToolError):
        symbols.read_functions(data, "fuzz")
    target = board_of("mps3_an547")
    sections = layout.read_sections(data, "fuzz")
    layout.usage(sections, target)
    layout.check(sections, target)


def _elf_seeds() -> list[bytes]:
    from unit.test_symbols import RISCV
    from unit.test_symbols import elf as small

    wide = bytearray(64 + 2 * 64 + 8)
    wide[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<2Q", wide, 32, 0, 64)
    struct.pack_into("<5H", wide, 54, 56, 0, 64, 2, 0)
    struct.pack_into("<2I4Q", wide, 64, 0, 3, 0, 0, 192, 8)
    struct.pack_into("<2I4Q", wide, 128, 0, 1, 2, 0x1000, 192, 8)
    return [small(), small(RISCV), bytes(wide)]


TARGETS = (
    Target("settings", "`edgekit.toml`", project_file, _project_seeds),
    Target("board", "a board file", board_file, _board_seeds, max_bytes=8192),
    Target("contract", "the contract inside a model", contract_text, _contracts),
    Target("json", "JSON, read as typed fields", json_object, _json_seeds, max_bytes=1024),
    Target("manifest", "the record of a firmware project", project_record, _manifests),
    Target("image", "the record of a built firmware", image_record, _images),
    Target("flasher", "`flasher_args.json` of an ESP-IDF build", flasher, _flasher_seeds),
    Target("bench", "an earlier `edgekit bench --json`", bench, _bench_seeds, max_bytes=2048),
    Target(
        "labels",
        "a file of labels",
        labels,
        lambda: [b"cat\ndog\nbird\n", b"\xef\xbb\xbfa\r\nb\r\nc"],
        max_bytes=256,
    ),
    Target(
        "uf2",
        "`INFO_UF2.TXT` and the list of mounted drives",
        uf2,
        lambda: [
            b"UF2 Bootloader v2.0.0\r\nModel: Grove AI\r\nBoard-ID: groveai-v1\r\n",
            b"/dev/sda1 /media/fuzz/GROVE\\040AI vfat rw 0 0\n/dev/root / ext4 rw 0 0\n",
        ],
        max_bytes=1024,
    ),
    Target("counts", "what QEMU's plugin has counted", counts, lambda: [b"1 2 3\n4 5 6\n"], max_bytes=256),
    Target("scores", "the scores that firmware in QEMU writes", scores, _scores_seeds, max_bytes=256),
    Target("elf", "symbols and sections of a linked firmware", elf, _elf_seeds),
)
