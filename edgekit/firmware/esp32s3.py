"""What a board file says of an ESP32-S3 under `[build.facts]`: read strictly, before a template sees it."""

import re
from dataclasses import dataclass

from edgekit.board import Board
from edgekit.errors import ProjectError
from edgekit.toml_table import Table

_TEMPLATE = "esp32s3"
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


def wanted(board: Board) -> bool:
    """Whether the board's project is one for an ESP32-S3."""
    return board.build.template == _TEMPLATE


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
