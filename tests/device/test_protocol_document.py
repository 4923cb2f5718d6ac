"""Holds docs/reference/protocol.md to the code: its vectors, its tables, its minimal client.

Run as a program, it writes the vectors into the document.
"""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from link_simulator.device import SimulatedDevice, compile_device, compile_program, expected_scores

from edgekit.device import frame as wire
from edgekit.device.frame import ErrorCode, PacketType
from edgekit.device.hello import Field

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
VECTORS = re.compile(r"(<!-- made by: PYTHON[^>]* -->\n```text\n)(.*?)(```\n)", re.DOTALL)
CAMERA_VECTORS = re.compile(r"(<!-- made by: the same, with a camera -->\n```text\n)(.*?)(```\n)", re.DOTALL)
FRAME = bytes(7 * i & 0xFF for i in range(132))
SIZE = {"TEST_INPUT_BYTES": len(FRAME), "EK_TRACE": 1}


def conversation(device: SimulatedDevice) -> list[tuple[str, bytes, bytes]]:
    """Return (what, bytes to the device, its answer), from its start on."""
    check = wire.frame_check(FRAME)

    def chunk(offset: int, count: int, seq: int = 258) -> bytes:
        data = FRAME[offset : offset + count]
        return wire.encode_chunk(PacketType.CHUNK_PIXELS, seq, offset, check, data)

    damaged = bytearray(chunk(0, 128))
    damaged[100] ^= 0x10
    steps = [
        ("The device starts, and says HELLO.", b""),
        ("A chunk without a session: ERROR NO_SESSION.", chunk(128, 4)),
        ("HELLO_REQUEST of session 0x4D2; HELLO.", wire.encode_hello_request(0x4D2)),
        ("The frame's last 4 bytes; ACK.", chunk(128, 4)),
        ("The first 128 bytes with a flipped bit, which is put right; ACK and PREDICTION.", bytes(damaged)),
        ("An empty chunk asks for the answer; PREDICTION and ACK.", chunk(77 * 128, 0)),
        ("One for a frame that the device does not know; ERROR UNKNOWN_FRAME.", chunk(5, 0, seq=259)),
        ("TRACE_REQUEST; TRACE.", wire.encode_trace_request()),
        ("A packet of an unknown type; ERROR UNKNOWN_TYPE.", wire.encode(b"\x55")),
        ("WATCH_REQUEST without a camera; ERROR NO_CAMERA.", wire.encode_watch_request(16, 0)),
    ]
    return [(what, data, device.arrive(data)) for what, data in steps]


def watched(device: SimulatedDevice) -> list[tuple[str, bytes, bytes]]:
    """Return the same of a device that is watched; it idles after each request."""
    device.arrive(wire.encode_hello_request(0x4D2))
    steps = [
        ("WATCH_REQUEST of 2 predictions, with each 2nd frame; PICTURE 0, SEEN 0, SEEN 1.", 2, 2),
        ("Of one more, with every frame; PICTURE 2, SEEN 2.", 1, 1),
        ("Of none; no answer.", 0, 0),
    ]
    found = []
    for what, count, every in steps:
        request = wire.encode_watch_request(count, every)
        found.append((what, request, device.arrive(request) + device.poll(4)))
    device.break_camera(1)
    request = wire.encode_watch_request(16, 0)
    what = "Of 16, but the camera's cable is loose; ERROR CAMERA_FAILED."
    return [*found, (what, request, device.arrive(request) + device.poll(4))]


def vectors(said: list[tuple[str, bytes, bytes]]) -> str:
    lines = []
    for what, sent, answer in said:
        lines += [what, *hexadecimal(">", sent), *hexadecimal("<", answer), ""]
    return "\n".join(lines[:-1]) + "\n"


def hexadecimal(mark: str, data: bytes) -> list[str]:
    return [f"  {mark} {data[start : start + 32].hex(' ')}" for start in range(0, len(data), 32)]


def small_device(folder: Path) -> SimulatedDevice:
    return SimulatedDevice(compile_device(folder / "device.so", defines=SIZE))


def seeing_device(folder: Path) -> SimulatedDevice:
    return SimulatedDevice(compile_device(folder / "seeing.so", defines=SIZE | {"EK_CAMERA": 1}))


def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_vectors_are_what_the_code_says(tmp_path: Path) -> None:
    found = VECTORS.search(document())
    assert found is not None
    assert found[2] == vectors(conversation(small_device(tmp_path))), "run this file as a program"


def test_vectors_of_the_camera_are_what_the_code_says(tmp_path: Path) -> None:
    found = CAMERA_VECTORS.search(document())
    assert found is not None
    assert found[2] == vectors(watched(seeing_device(tmp_path))), "run this file as a program"


def test_the_predictions_of_the_camera_s_vectors_are_right(tmp_path: Path) -> None:
    heard = [wire.Decoder().feed(answer) for _, _, answer in watched(seeing_device(tmp_path))]
    assert [[type(packet) for packet in packets] for packets in heard] == [
        [wire.Picture, wire.Seen, wire.Seen],
        [wire.Picture, wire.Seen],
        [],
        [wire.Fault],
    ]
    for number, (picture, seen) in enumerate((heard[0][:2], heard[1])):
        assert isinstance(picture, wire.Picture)
        assert (picture.seq, picture.offset, len(picture.data)) == (2 * number, 0, len(FRAME))
        assert seen == wire.Seen(2 * number, 7, 14, 7, expected_scores(picture.data))
    assert heard[3] == [wire.Fault(3, 0, ErrorCode.CAMERA_FAILED)]


def test_the_prediction_of_the_vectors_is_right(tmp_path: Path) -> None:
    answers = [answer for _, _, answer in conversation(small_device(tmp_path))]
    found = wire.Decoder().feed(answers[4])
    assert found[1] == wire.Answer(258, 7, 7, expected_scores(FRAME))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    section = document().split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_tables_are_complete() -> None:
    types = {row[1]: int(row[0], 16) for row in rows("From host to device") + rows("From device to host")}
    assert types == {kind.name: kind.value for kind in PacketType}
    assert {row[1]: int(row[0]) for row in rows("Error codes")} == {
        code.name: code.value for code in ErrorCode
    }
    assert {int(row[0]) for row in rows("HELLO")} == {field.value for field in Field}


@pytest.mark.parametrize("pixel", [0, 255, None])
def test_the_minimal_client_works(program: Path, pixel: int | None) -> None:
    code = document().split("```python\n", 1)[1].split("```", 1)[0]
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    # In this order the line is closed first, and with it the program ends.
    with subprocess.Popen([program], stdin=theirs.fileno(), stdout=theirs.fileno()), ours:
        theirs.close()
        names = {"line": ours}
        exec(code, names)
        for sequence in range(3):
            frame = bytes((i * sequence) & 0xFF if pixel is None else pixel for i in range(3072))
            scores = names["classify"](sequence, frame)  # type: ignore[operator]
            assert bytes(score & 0xFF for score in scores) == expected_scores(frame)


def test_the_minimal_client_watches(tmp_path: Path) -> None:
    code = document().split("```python\n", 1)[1].split("```", 1)[0]
    program = compile_program(tmp_path / "firmware", **SIZE, EK_CAMERA=1)
    seen = [
        packet for _, _, answer in watched(seeing_device(tmp_path)) for packet in wire.Decoder().feed(answer)
    ]
    expected = [(packet.seq, packet.scores) for packet in seen if isinstance(packet, wire.Seen)]
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    # In this order the line is closed first, and with it the program ends.
    with subprocess.Popen([program], stdin=theirs.fileno(), stdout=theirs.fileno()), ours:
        theirs.close()
        names = {"line": ours}
        exec(code, names)
        found = list(names["watch"](3))  # type: ignore[operator]
    assert [(number, bytes(score & 0xFF for score in scores)) for number, scores in found] == expected


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        both = (
            (VECTORS, vectors(conversation(small_device(Path(folder))))),
            (CAMERA_VECTORS, vectors(watched(seeing_device(Path(folder))))),
        )
    text = document()
    for place, made in both:
        text = place.sub(lambda found, made=made: found[1] + made + found[3], text)
    DOCUMENT.write_text(text, encoding="utf-8")
    sys.exit(0)
