"""Runs Vela, Arm's compiler for the Ethos-U, with a board's own settings, and reads what it says.

Cycles and times are Vela's estimate from its model of the NPU and of the memories, not a measurement.
"""

import csv
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit import install, process, scratch
from edgekit.board import Board
from edgekit.errors import DoesNotFitError, MissingExtraError, ProjectError, ToolError
from edgekit.graph import tflite
from edgekit.graph.ir import Graph
from edgekit.toml_table import FactValue

_ACCELERATOR = re.compile(r"ethos-u(55-(32|64|128|256)|65-(256|512)|85-(128|256|512|1024|2048))")
_SETTING = re.compile(r"[A-Za-z0-9_]{1,40}=[A-Za-z0-9_.+-]{1,40}")
_CLOCK = re.compile(r"core_clock=[0-9.]*[1-9][0-9.]*(e[0-9]{1,2})?")
_REFUSAL = re.compile(
    r"^Warning \(supported operators\) operator: ([A-Z0-9_]+), ofm: '(.*)'\nReason: (.*)$", re.MULTILINE
)
_NPU = "CUSTOM:ethos-u"
_TIMEOUT_S = 600.0
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model for the Ethos-U, and what Vela says of it."""

    data: bytes = field(repr=False)
    """The .tflite in which one operator stands for all that runs on the NPU."""
    graph: Graph = field(repr=False)
    accelerator: str
    version: str
    on_npu: Mapping[str, int]
    """The source's operators that run on the NPU, by kind."""
    on_cpu: Mapping[str, int]
    """Operators that are left for the processor, by kind."""
    reasons: tuple[str, ...]
    """Why, for each operator that Vela has left, in Vela's words."""
    sram_bytes: int
    """Vela's `Total SRAM used`: the tensors of NPU and processor in the arena."""
    flash_bytes: int
    """Vela's `Total Off-chip Flash used`: weights and command stream."""
    cycles: int
    """Vela's estimate for one inference, of the NPU's part alone."""
    inference_ms: float
    """The same in milliseconds at the clock of the board's settings."""

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        return {
            "accelerator": self.accelerator,
            "version": self.version,
            "operators_on_npu": dict(self.on_npu),
            "operators_on_cpu": dict(self.on_cpu),
            "reasons": list(self.reasons),
            "sram_bytes": self.sram_bytes,
            "off_chip_flash_bytes": self.flash_bytes,
            "estimate": {"by": "Vela", "cycles": self.cycles, "inference_ms": self.inference_ms},
        }


def compile_model(model: bytes, source: Graph, board: Board) -> Compiled:
    """Compile an int8 .tflite for the board's NPU. Equal input gives equal bytes.

    Args:
        model: the file.
        source: the same, read.
        board: its facts name the accelerator and Vela's settings.

    Raises:
        MissingExtraError: ethos-u-vela is not installed.
        ProjectError: the board's facts are not what Vela takes.
        ToolError: Vela fails.
        DoesNotFitError: the tensors need more SRAM than the board leaves them.
    """
    accelerator, settings, limit = _facts(board)
    if find_spec("ethosu") is None:
        raise MissingExtraError("ethos-u-vela", "tflm", "the Ethos-U of this board")
    with scratch.folder() as folder:
        (folder / "model.tflite").write_bytes(model)
        (folder / "board.ini").write_text(settings, "ascii")
        command = [sys.executable, "-P", "-m", "ethosu.vela", "model.tflite", "--output-dir", "out"]
        command += ["--accelerator-config", accelerator, "--config", "board.ini"]
        command += ["--system-config", "board", "--memory-mode", "board"]
        said = process.run(command, cwd=folder, timeout_s=_TIMEOUT_S)
        data = tflite.read_bytes(folder / "out" / "model_vela.tflite")
        row = _summary(folder / "out" / "model_summary_board.csv")
    graph = tflite.parse(data, source.name)
    on_cpu = Counter(op.kind for op in graph.ops if op.kind != _NPU)
    made = Compiled(
        data=data,
        graph=graph,
        accelerator=accelerator,
        version=f"Vela {version('ethos-u-vela')}",
        on_npu=dict(sorted((Counter(op.kind for op in source.ops) - on_cpu).items())),
        on_cpu=dict(sorted(on_cpu.items())),
        reasons=tuple(f"{kind} '{output}': {reason}" for kind, output, reason in _REFUSAL.findall(said)),
        sram_bytes=round(row["sram_memory_used"] * _KIB),
        flash_bytes=round(row["off_chip_flash_memory_used"] * _KIB),
        cycles=round(row["cycles_total"]),
        inference_ms=round(row["inference_time"] * 1e3, 6),
    )
    if limit and made.sram_bytes > limit:
        raise DoesNotFitError(
            f"Vela places {made.sram_bytes:,} bytes of tensors in SRAM, and the board '{board.id}' leaves "
            f"them {limit:,}",
            "use a smaller input or fewer channels in the first layers",
            {"needed": made.sram_bytes, "available": limit},
        )
    return made


def _facts(board: Board) -> tuple[str, str, int]:
    """Return the accelerator, the text of Vela's settings file, and how much SRAM tensors may take."""
    facts = board.build.facts
    accelerator = facts.get("npu", "")
    if not isinstance(accelerator, str) or not _ACCELERATOR.fullmatch(accelerator):
        raise _wrong(board, "npu", "an accelerator of Vela such as ethos-u55-64")
    limit = facts.get("npu_sram_bytes", 0)
    if not isinstance(limit, int) or limit < 0:
        raise _wrong(board, "npu_sram_bytes", "a number of bytes")
    text = ""
    for section, key in (("System_Config", "vela_system"), ("Memory_Mode", "vela_memory")):
        lines = _settings(board, facts.get(key, ()), key)
        text += "\n".join((f"[{section}.board]", *lines, ""))
    if not any(_CLOCK.fullmatch(line) for line in _settings(board, facts["vela_system"], "vela_system")):
        raise _wrong(board, "vela_system", "settings with a clock among them, such as core_clock=400e6")
    return accelerator, text, limit


def _settings(board: Board, value: FactValue, key: str) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not value or not all(_SETTING.fullmatch(line) for line in value):
        raise _wrong(board, key, 'a list of settings of Vela such as "core_clock=400e6"')
    return value


def _wrong(board: Board, key: str, allowed: str) -> ProjectError:
    return ProjectError(f"'{board.path}': build.facts.{key} must be {allowed}")


def _summary(path: Path) -> dict[str, float]:
    """Return the figures of Vela's table, which has one row."""
    wanted = ("sram_memory_used", "off_chip_flash_memory_used", "cycles_total", "inference_time")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            row = next(csv.DictReader(file))
        return {key: float(row[key]) for key in wanted}
    except (OSError, StopIteration, KeyError, ValueError, TypeError) as error:
        raise ToolError(
            f"the summary that Vela wrote has not the expected figures: {error!r}",
            install.command("tflm"),
        ) from error
