"""Small models in MLPerf Tiny firmware, on each board that can run it here."""

import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import small_models
from mlperf.reference import ReferenceDevice, mask

from edgekit import board, contract
from edgekit.board import EmulatorKind
from edgekit.codegen.generator import generate
from edgekit.contract import Color, Contract, Preprocess, Resize
from edgekit.firmware import build, project
from edgekit.firmware.image import FirmwareImage
from edgekit.firmware.options import Firmware
from edgekit.firmware.protocols.mlperf_tiny import MlperfTiny
from edgekit.graph import tflite
from edgekit.oracle import Oracle

# The virtual boards that the protocol is held to: all that can be run here.
BOARDS = tuple(
    name
    for name in board.list_ids()
    if (emulator := board.load(name).emulator) and emulator.kind is not EmulatorKind.NONE
)
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
DEADLINE_S = 60.0

_NORMAL = Preprocess(Color.RGB, Resize.SQUASH, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Case:
    """A model, and what turns its pixels into its input."""

    model: bytes
    contract: Contract
    name: str = "ic01"

    def scores(self, data: bytes) -> list[str]:
        """Return what the firmware must show for these bytes, by the oracle and float32 arithmetic."""
        pixels = np.frombuffer(data, np.uint8)
        if self.contract.table is None:
            tensor = pixels.view(np.int8)
        else:
            table = np.frombuffer(self.contract.table, np.int8).reshape(-1, 256)
            channels = np.arange(pixels.size) % len(table)
            tensor = table[channels, pixels]
        return self.texts(Oracle(self.model).run(tensor.reshape(1, *self.contract.frame_shape))[0])

    def texts(self, scores: "np.ndarray[tuple[int, ...], np.dtype[np.int8]]") -> list[str]:
        """Return int8 scores as `%0.3f` of their real values."""
        whole = scores.astype(np.int32) - self.contract.output_zero_point
        real = whole.astype(np.float32) * np.float32(self.contract.output_scale)
        return [f"{float(value):.3f}" for value in real]

    def reference(self) -> ReferenceDevice:
        """Return what the firmware is compared with."""
        empty = self.texts(np.zeros(self.contract.classes, np.int8))
        return ReferenceDevice(self.contract.input_bytes, self.scores, empty, self.name)


def pixels() -> Case:
    """Return a model of images whose pixels become pixel - 128."""
    model = small_models.classifier()
    return Case(model, contract.of(tflite.parse(model)))


def normalised() -> Case:
    """Return a model of images with a table per channel."""
    model = small_models.classifier()
    agreed = contract.for_graph(
        tflite.parse(model), preprocess=_NORMAL, labels=small_models.LABELS, oracle="LiteRT"
    )
    return Case(model, agreed)


def tensors() -> Case:
    """Return a model whose input is no image: its bytes are int8 values. It has negative scores, too."""
    model = small_models.fully_connected(inputs=9, outputs=5)
    return Case(model, contract.of(tflite.parse(model)))


CASES = {"pixels": pixels, "normalised": normalised, "tensors": tensors}


def firmware(
    case: Case, folder: Path, board_id: str, *, compiler: str | None = None, cflags: Sequence[str] = ()
) -> FirmwareImage:
    """Build a case's firmware for a board."""
    target = board.load(board_id)
    graph = tflite.parse(case.model)
    made = project.assemble(generate(graph, case.contract), target, Firmware(MlperfTiny(case.name)))
    project.write(made, folder)
    return build.build(folder, target, compiler=compiler, cflags=cflags)


def public(model: bytes) -> Case:
    """Return one of the benchmark's own models under its own name."""
    agreed = contract.of(tflite.parse(model))
    return Case(model, agreed, MlperfTiny().model_for(agreed))


class Talk:
    """A plain conversation: what the device answers to each command."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._rest = b""

    def answers(self, count: int) -> bytes:
        """Return what comes up to and with the `count`th `m-ready`."""
        ready = b"m-ready\r\n"
        end = time.monotonic() + DEADLINE_S
        while self._rest.count(ready) < count:
            self._line.settimeout(max(end - time.monotonic(), 1e-3))
            data = self._line.recv(65536)
            assert data, f"the firmware ended after {self._rest[-200:]!r}"
            self._rest += data
        *parts, self._rest = self._rest.split(ready, count)
        return b"".join(part + ready for part in parts)

    def say(self, text: str | bytes) -> bytes:
        """Send commands and return their answers, timestamps masked."""
        data = text.encode("latin-1") if isinstance(text, str) else text
        self._line.settimeout(DEADLINE_S)
        self._line.sendall(data)
        return mask(self.answers(data.count(b"%")))

    def silent(self) -> bool:
        """Whether nothing more has come than was asked for."""
        self._line.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self._rest += self._line.recv(65536)
        return not self._rest
