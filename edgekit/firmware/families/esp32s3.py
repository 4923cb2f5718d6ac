"""Boards with an ESP32-S3: `[build.facts]` of their files, and a partition table sized from the model.

The facts are read strictly, before a template sees them. The table's format is ESP-IDF's (docs: Partition
Tables): it lies at 0x8000 and takes 0x1000 bytes; an application starts at a multiple of 64 KiB.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.board import Board
from edgekit.errors import DoesNotFitError, ProjectError
from edgekit.firmware.families import Family
from edgekit.toml_table import Table

if TYPE_CHECKING:
    from edgekit.codegen.generator import GeneratedModel

SDK_BYTES = 768 * 1024
"""Room for ESP-IDF, drivers, application and kernels: an allowance, not a measurement."""
_UNIT = 0x10000
_FIRST = 0x10000
_STEP_BYTES = 256
_MIB = 1 << 20
_CHIPS_MB = (1, 2, 4, 8, 16, 32, 64, 128)
"""Those that ESP-IDF's CONFIG_ESPTOOLPY_FLASHSIZE_... knows."""
# Clauses of the component manager's version ranges; the text goes into YAML.
_CLAUSE = r"(?:>=|<=|==|[<>~^])?[0-9]{1,4}(?:\.[0-9]{1,4}){0,2}"
_RANGE = re.compile(rf"{_CLAUSE}(?:,{_CLAUSE}){{0,3}}")
_LIBRARY = re.compile(r"esp-tflite-micro ([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Facts:
    """`[build.facts]` of a board with an ESP32-S3."""

    flash_bytes: int
    """Of the flash chip; a power of two, in whole MB."""
    flash_mode: str
    """`qio`, or `opi` for octal flash."""
    psram: str
    """`none`, `quad` or `octal`."""
    psram_bytes: int
    esp_nn: str
    """The range of espressif/esp-nn's versions, as ESP-IDF's component manager writes it."""
    tflite_micro: str
    """The same for espressif/esp-tflite-micro; empty for a board without the runtime `tflm`."""
    model_partition: bool
    """Whether `tflm` keeps the model in a flash partition of its own."""

    @property
    def flash_mb(self) -> int:
        """Return the size of the flash chip as ESP-IDF's settings name it."""
        return self.flash_bytes // _MIB


@dataclass(frozen=True, slots=True)
class Partition:
    """One line of the table; offset and size in bytes."""

    name: str
    kind: str
    subtype: str
    offset: int
    size: int


class Esp32s3(Family):
    """Facts and partitions for the templates; a model may have a partition of its own."""

    def context(self, model: "GeneratedModel", board: Board) -> Mapping[str, Any]:
        """Return `esp32s3`, the facts, and `partitions`. Raises ProjectError, DoesNotFitError."""
        facts = read(board)
        return {"esp32s3": facts, "partitions": partitions(model, board, facts.flash_bytes)}

    def stores_model(self, board: Board) -> bool:
        """Whether the board file asks for a partition for the model. Raises ProjectError."""
        return read(board).model_partition

    def no_camera(self, board: Board) -> str:
        """Say that a camera needs PSRAM. Raises ProjectError."""
        if read(board).psram != "none":
            return ""
        return f"the camera's driver keeps its pictures in PSRAM, and the board '{board.id}' has none"


FAMILY = Esp32s3()


def read(board: Board) -> Facts:
    """Read a board's facts. Raises ProjectError naming the fact that is wrong, and what it may be."""
    table = Table(board.path, "build.facts", dict(board.build.facts))
    table.only(
        *("flash_chip_bytes", "flash_mode", "psram", "psram_bytes", "esp_nn"),
        optional=("tflm_library", "tflm_kernels", "model_partition"),
    )
    chip = table.integer("flash_chip_bytes", _MIB, max(_CHIPS_MB) * _MIB)
    if chip not in (size * _MIB for size in _CHIPS_MB):
        raise table.wrong("flash_chip_bytes", f"{', '.join(map(str, _CHIPS_MB))} MiB")
    psram = table.choice("psram", ("none", "quad", "octal"))
    size = table.integer("psram_bytes", 0, 32 * _MIB)
    if (psram == "none") != (size == 0):
        raise table.wrong("psram_bytes", "0 where psram is 'none', and only there")
    return Facts(
        flash_bytes=chip,
        flash_mode=table.choice("flash_mode", ("qio", "opi")),
        psram=psram,
        psram_bytes=size,
        esp_nn=table.text("esp_nn", _RANGE, "a range of versions such as '>=1.1.2,<1.2.0'"),
        tflite_micro=_tflite_micro(board) if "tflm_library" in table.value else "",
        model_partition=table.flag("model_partition") if "model_partition" in table.value else False,
    )


def _tflite_micro(board: Board) -> str:
    """Return the range of esp-tflite-micro: the release that the fact names, and its later fixes."""
    found = _LIBRARY.fullmatch(str(board.build.facts["tflm_library"]))
    if found is None:
        raise ProjectError(
            f"'{board.path}': build.facts.tflm_library must name a release of esp-tflite-micro, such as "
            "'esp-tflite-micro 1.4.0'"
        )
    major, minor, patch = map(int, found.groups())
    return f">={major}.{minor}.{patch},<{major}.{minor + 1}.0"


def partitions(model: "GeneratedModel", board: Board, chip: int) -> tuple[Partition, ...]:
    """Return the partitions, by offset: settings of the SDK, the application, and the model if it lies apart.

    The application gets what weights and steps need and an allowance for the rest, and a quarter more, so
    that the next model of about the same size needs no other table. So does a model that lies apart, where
    there is room.

    Args:
        model: decides the sizes.
        board: how large application and model may be together, at the most.
        chip: the size of the whole flash, in bytes.

    Raises:
        DoesNotFitError: they would be larger than the board's file allows.
    """
    apart = model.stored_bytes
    inside = 0 if apart else model.weight_bytes
    needed = SDK_BYTES + inside + model.table_bytes + _STEP_BYTES * len(model.steps)
    available = max(0, min(board.memory.flash_bytes, chip - _FIRST)) // _UNIT * _UNIT
    # Whole units, of which the application gets its own first.
    left = available - _up(apart)
    if needed > left:
        model_too = f", the model in a partition of its own {apart:,}" if apart else ""
        raise DoesNotFitError(
            f"the application needs about {needed:,} bytes of flash{model_too}, and a partition of "
            f"'{board.id}' may have {available:,}",
            "use fewer channels or layers, or a board with more flash",
        )
    size = min(_up(needed + needed // 4), left)
    room = min(_up(apart + apart // 4), available - size)
    return (
        Partition("nvs", "data", "nvs", 0x9000, 0x6000),
        Partition("phy_init", "data", "phy", 0xF000, 0x1000),
        Partition("factory", "app", "factory", _FIRST, size),
        # A subtype that ESP-IDF leaves to applications.
        *([Partition("model", "data", "0x40", _FIRST + size, room)] if apart else []),
    )


def _up(size: int) -> int:
    return -(-size // _UNIT) * _UNIT
