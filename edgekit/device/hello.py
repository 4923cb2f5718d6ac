"""What a device says of itself, checked, and compared with what the host expects of it."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from edgekit.device.frame import CHUNK_MAX, CHUNK_UNIT, PROTOCOL_VERSION, HelloPacket, chunk_wire_bytes
from edgekit.errors import ContractMismatchError, DeviceError
from edgekit.plain_text import is_plain

_MAX_BYTES = 1 << 30


class Unit(StrEnum):
    """What one tick of the device's clock is."""

    MICROSECONDS = "microseconds"
    INSTRUCTIONS = "instructions"


class Field(IntEnum):
    """The typed fields of HELLO. Fields with other ids belong to later versions and are skipped."""

    PROTOCOL = 1
    BOARD = 2
    FIRMWARE = 3
    RUNTIME = 4
    CONTRACT_DIGEST = 5
    MODEL_DIGEST = 6
    INPUT_SHAPE = 7
    INPUT_BYTES = 8
    OUTPUT_BYTES = 9
    ARENA_BYTES = 10
    FRAME_BUFFERS = 11
    RX_WINDOW = 12
    MAX_CHUNK = 13
    TICKS_UNIT = 14
    TICKS_EXACT = 15
    FEATURES = 16
    STEPS = 17
    SESSION = 18


@dataclass(frozen=True, slots=True)
class Hello:
    """A device's description of itself."""

    protocol: int
    board: str
    firmware: str
    """Version of the firmware application."""
    runtime: str
    contract_digest: str
    """SHA-256 in hex, as `Contract.digest()` gives it."""
    model_digest: str
    input_shape: tuple[int, ...]
    """Batch included: (1, H, W, C) for images."""
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    frame_buffers: int
    rx_window: int
    """Bytes of chunks that may be on their way unacknowledged."""
    max_chunk: int
    unit: Unit
    exact: bool
    """True when equal work always counts equal ticks."""
    accepts_pixels: bool
    """False: this model takes int8 tensors only."""
    has_trace: bool
    """True: a debug build that keeps the CRC-32 of every step's output."""
    has_camera: bool
    """Whether it can classify what a camera of its own sees."""
    steps: int
    session: int
    """The session that is open on the device; 0 after a start."""
    damaged_packets: int
    """Packets that the device has dropped since its start, boot noise included."""
    repaired_chunks: int
    """Chunks since its start in which the device put one flipped bit right."""

    @classmethod
    def from_packet(cls, packet: HelloPacket) -> "Hello":
        """Read the fields, trusting none. Raises DeviceError naming the one that is missing or wrong."""
        read = _Reader(dict(reversed(packet.fields)))
        protocol = read.number(Field.PROTOCOL, 0, 0xFFFFFFFF)
        if protocol != PROTOCOL_VERSION:
            raise DeviceError(
                f"the device speaks protocol version {protocol}, this edgekit version {PROTOCOL_VERSION}",
                "build and flash the firmware again with this version of edgekit",
            )
        unit = read.number(Field.TICKS_UNIT, 0, 1)
        features = read.number(Field.FEATURES, 0, 0xFFFFFFFF)
        session, damaged, repaired = read.numbers(Field.SESSION, 3)
        hello = cls(
            protocol=protocol,
            board=read.text(Field.BOARD),
            firmware=read.text(Field.FIRMWARE),
            runtime=read.text(Field.RUNTIME),
            contract_digest=read.raw(Field.CONTRACT_DIGEST, 32).hex(),
            model_digest=read.raw(Field.MODEL_DIGEST, 32).hex(),
            input_shape=read.numbers(Field.INPUT_SHAPE, None),
            input_bytes=read.number(Field.INPUT_BYTES, 1, _MAX_BYTES),
            output_bytes=read.number(Field.OUTPUT_BYTES, 1, _MAX_BYTES),
            arena_bytes=read.number(Field.ARENA_BYTES, 1, _MAX_BYTES),
            frame_buffers=read.number(Field.FRAME_BUFFERS, 1, 255),
            rx_window=read.number(Field.RX_WINDOW, chunk_wire_bytes(CHUNK_UNIT), _MAX_BYTES),
            max_chunk=read.number(Field.MAX_CHUNK, CHUNK_UNIT, CHUNK_MAX),
            unit=Unit.INSTRUCTIONS if unit else Unit.MICROSECONDS,
            exact=bool(read.number(Field.TICKS_EXACT, 0, 1)),
            accepts_pixels=bool(features & 1),
            has_trace=bool(features & 2),
            has_camera=bool(features & 4),
            steps=read.number(Field.STEPS, 0, _MAX_BYTES),
            session=session,
            damaged_packets=damaged,
            repaired_chunks=repaired,
        )
        if math.prod(hello.input_shape) != hello.input_bytes or hello.input_shape[:1] != (1,):
            raise DeviceError(
                f"the device's HELLO contradicts itself: input shape {list(hello.input_shape)} "
                f"is not one frame of {hello.input_bytes} bytes"
            )
        return hello

    def identity(self) -> Mapping[str, object]:
        """Return what must not change when the device restarts in the middle of a run."""
        names = (
            *("board", "firmware", "runtime", "contract_digest", "model_digest", "input_shape"),
            *("output_bytes", "frame_buffers", "rx_window", "max_chunk", "accepts_pixels", "has_camera"),
        )
        return {name: getattr(self, name) for name in names}

    def check(self, expected: Mapping[str, object]) -> None:
        """Compare fields with what the host expects.

        Raises:
            ContractMismatchError: naming every field that differs, with both values.
        """
        found = self.identity()
        differing = [name for name, value in expected.items() if found[name] != value]
        if differing:
            details = "; ".join(
                f"{name.replace('_', ' ')} is {_short(found[name])} on the device, "
                f"{_short(expected[name])} on the host"
                for name in differing
            )
            raise ContractMismatchError(
                f"the firmware on board '{self.board}' is not the expected one: {details}",
                "build and flash the firmware of this model: edgekit build, edgekit flash",
            )


def _short(value: object) -> str:
    if isinstance(value, str) and len(value) == 64:
        return f"{value[:12]}..."
    return f"'{value}'" if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


@dataclass(frozen=True, slots=True)
class _Reader:
    fields: Mapping[int, bytes]

    def raw(self, field: Field, size: int | None = None) -> bytes:
        data = self.fields.get(field)
        name = field.name.lower().replace("_", " ")
        if data is None:
            raise DeviceError(f"the device's HELLO has no field '{name}' (id {field})")
        if size is not None and len(data) != size:
            raise DeviceError(f"the device's HELLO field '{name}' has {len(data)} bytes instead of {size}")
        return data

    def numbers(self, field: Field, count: int | None) -> tuple[int, ...]:
        data = self.raw(field, None if count is None else 4 * count)
        if len(data) % 4:
            raise DeviceError(f"the device's HELLO field {field.name} has {len(data)} bytes")
        return struct.unpack(f"<{len(data) // 4}I", data)

    def number(self, field: Field, low: int, high: int) -> int:
        (value,) = self.numbers(field, 1)
        if not low <= value <= high:
            raise DeviceError(f"the device's HELLO says {field.name} = {value}, outside {low}..{high}")
        return value

    def text(self, field: Field) -> str:
        text = self.raw(field).decode("utf-8", "replace")
        return "".join(character if is_plain(character) else "?" for character in text)
