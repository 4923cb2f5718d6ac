"""SSCMA's protocol: framing, what messages say, and the client against scripted boards."""

import base64
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from typing import Any

import pytest
from device.sscma_device import BOOT, SscmaBoard, jpeg, on_pty, on_socket, on_tcp, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.device import sscma, sscma_answers
from edgekit.device.events import Note, NoteKind
from edgekit.device.sscma import TRIES, SscmaDevice
from edgekit.device.sscma_errors import CODES
from edgekit.device.sscma_framing import MAX_DEPTH, MAX_LINE_BYTES, Event, Log, Message, Messages, Reply
from edgekit.device.transport import SocketTransport
from edgekit.errors import DeviceError, UsageError

GENERATIONS = ("1.0.x", "2.0")
LONG_S = 30.0
SHORT_S = 1.0


def taken(messages: Messages) -> list[Message]:
    found = []
    while (message := messages.take()) is not None:
        found.append(message)
    return found


def fed(*parts: bytes) -> tuple[list[Message], Messages]:
    messages = Messages()
    for part in parts:
        messages.feed(part)
    return taken(messages), messages


@contextmanager
def opened(
    board: SscmaBoard, timeout_s: float = LONG_S, notes: list[Note] | None = None
) -> Iterator[SscmaDevice]:
    heard: list[Note] = [] if notes is None else notes
    with (
        on_socket(board) as line,
        SscmaDevice.open(SocketTransport(line, "board"), timeout_s=timeout_s, on_note=heard.append) as device,
    ):
        yield device


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a busy board is given before it is asked again is no part of what is tested."""
    monkeypatch.setattr(sscma, "_PAUSE_S", 0.01)


# Framing


SAID = (
    BOOT
    + b'\r{"type":0,"name":"A1@ID?","code":0,"data":"7e2d"}\n'
    + b'I (3) cam: ok\r\n\r{"type": 1, "name": "A2@INVOKE", "code": 7, "data": {"count": 1}}\n'
    + b'\r{"type":2,"name":"LOG","code":0,"data":"h\xc3\xa9"}\n'
)


def test_messages_in_pieces_split_at_every_byte() -> None:
    whole, _ = fed(SAID)
    assert [m for m in whole if m.name] == [
        Reply("A1@ID?", 0, "7e2d"),
        Event("A2@INVOKE", 7, {"count": 1}),
        Log("LOG", 0, "hé"),
    ]
    assert Log("", 0, "I (3) cam: ok") in whole
    for at in range(len(SAID) + 1):
        assert fed(SAID[:at], SAID[at:])[0] == whole
    assert fed(*(bytes([byte]) for byte in SAID))[0] == whole


def test_a_name_is_a_tag_and_a_command() -> None:
    message = Reply("X@Y@ACTION", 0, None)
    assert (message.tag, message.command) == ("X@Y", "ACTION")
    assert (Log("AT", 5, "").tag, Log("AT", 5, "").command) == ("", "AT")


def test_a_message_that_a_restart_cut_off_does_not_take_the_next_with_it() -> None:
    found, messages = fed(
        b'\r{"type":1,"name":"A@INVOKE","data":{"image":"/9j/4AA\r{"type":0,"name":"B@ID?","code":0}\n'
    )
    assert found[-1] == Reply("B@ID?", 0, None)
    assert messages.losses.damaged == 0


def test_text_of_the_device_cannot_steer_a_terminal() -> None:
    found, _ = fed(b'\x1b[2Jred\x07\n\r{"type":0,"name":"A\\u001b@ID?","code":0}\n')
    assert found == [Log("", 0, "[2Jred"), Reply("A@ID?", 0, None)]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}",
        b'{"type":0}',
        b'{"type":9,"name":"A","code":0}',
        b'{"type":true,"name":"A","code":0}',
        b'{"type":0,"name":4,"code":0}',
        b'{"type":0,"name":"A","code":"0"}',
        b'{"type":0,"name":"A","code":99999999999}',
        b'{"type":0,"name":"A","code":0,"data":NaN}',
        b'{"type":0,"name":"A","code":0,"data":"\xff"}',
        b'{"type":0,"name":"A","code":0,"data":1' + b"0" * 5000 + b"}",
        b'{"type":0,"name":"A","code":0,"data":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"type":0,"name":"A","code":0,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda line: line[:45].decode("latin-1") + f" ({len(line)} bytes)",
)
def test_what_is_no_message_is_counted_and_left_out(line: bytes) -> None:
    found, messages = fed(b"\r" + line + b'\n\r{"type":0,"name":"B","code":0}\n')
    assert found == [Reply("B", 0, None)]
    assert messages.losses.damaged == 1


def test_a_line_without_end_is_dropped_and_costs_no_memory() -> None:
    messages = Messages()
    for _ in range(5 * MAX_LINE_BYTES // 4096):
        messages.feed(b'\r{"type"' + b"x" * 4088)
        assert len(messages._rest) <= MAX_LINE_BYTES
    messages.feed(b'\n\r{"type":0,"name":"B","code":0}\n')
    assert taken(messages) == [Reply("B", 0, None)]
    assert (messages.losses.too_long, messages.losses.damaged) == (1, 0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=60) | _JSON.map(lambda v: b"\r" + json.dumps(v).encode() + b"\n"), max_size=12
    )
)
def test_any_bytes_can_come(parts: list[bytes]) -> None:
    found, _ = fed(*parts, b'\n\r{"type":0,"name":"END","code":0}\n')
    assert found[-1] == Reply("END", 0, None)
    assert found == fed(b"".join(parts), b'\n\r{"type":0,"name":"END","code":0}\n')[0]


# What messages say


EVENT = ["count", "classes", "boxes", "points", "perf", "image", "width", "resolution", "rotate"]
REPLY = ["models", "id", "type", "address", "size", "algorithm", "software", "hardware", "info", "classes"]


@settings(deadline=None)
@given(_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, _JSON)))
def test_any_data_of_an_event_can_be_read(data: Any) -> None:
    found = sscma_answers.prediction(data)
    assert (found is None) == (not isinstance(data, dict))
    if found is not None:
        assert all(abs(result.score) < 1e9 for result in found.results)


@settings(deadline=None)
@given(_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(REPLY, _JSON)))
def test_any_data_of_a_reply_can_be_read(data: Any) -> None:
    sscma_answers.device_identity(data, data, data)
    sscma_answers.invocation(data, 2)
    info = sscma_answers.model_info({"info": stored(data)})
    assert info.labels is None or all(info.labels)
    sscma_answers.model_identity(data, sscma_answers.model_info(data))


@pytest.mark.parametrize(
    "info",
    [
        "",
        "hello",
        "aGVsbG8=",
        base64.b64encode(b"\xff\xfe").decode(),
        stored([1]),
        stored({"classes": "cat,dog"}),
        stored({"classes": ["cat", 1]}),
        stored({"classes": ["x"] * (sscma_answers.MAX_LABELS + 1)}),
    ],
)
def test_nonsense_for_info_names_no_classes(info: str) -> None:
    assert sscma_answers.model_info({"info": info}).labels is None


def test_class_names_of_info_are_cleaned_and_cut() -> None:
    found = sscma_answers.model_info({"info": stored({"classes": ["a\x1b[31m", "", "y" * 500]})})
    assert found.labels == ("a[31m", "1", "y" * 64)


def test_the_size_of_a_jpeg() -> None:
    whole = jpeg(48, 32)
    assert sscma_answers.jpeg_size(whole) == (48, 32)
    assert sscma_answers.jpeg_size(whole[:-2]) is None
    assert sscma_answers.jpeg_size(b"\xff\xd8\xff\xd9") is None
    assert sscma_answers.jpeg_size(b"GIF89a" + whole) is None
    at = whole.index(b"\xff\xc0")
    assert (
        sscma_answers.jpeg_size(whole[:at] + b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff" + whole[at + 9 :])
        is None
    )


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600))
def test_a_damaged_jpeg_is_a_jpeg_or_not_but_never_an_accident(noise: bytes, at: int) -> None:
    whole = jpeg()
    size = sscma_answers.jpeg_size(whole[:at] + noise + whole[at + len(noise) :])
    assert size is None or max(size) <= sscma_answers.MAX_PICTURE_SIDE


# The client


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("pictures", [False, True])
def test_a_board_on_a_serial_port(generation: str, pictures: bool) -> None:
    board = SscmaBoard(generation)
    with on_pty(board) as port:
        with SscmaDevice.open(port, timeout_s=LONG_S) as device:
            assert device.identity.id == "7e2d02cf"
            assert device.identity.name == "Seeed Studio XIAO (ESP32-S3)"
            assert device.identity.software == "2025.02.11"
            model = device.model
            assert model is not None
            assert (model.id, model.type, model.address, model.size) == (1, 4, 0x400000, 267024)
            assert (model.info.name, model.info.version, model.info.labels) == ("pets", "1.2", ("cat", "dog"))
            begun = device.invoke(pictures=pictures)
            assert begun == sscma_answers.Invocation({"1.0.x": 3, "2.0": 2}[generation], 4, 50)
            found = list(islice(device.predictions(), 5))
        assert board.running is None
    assert board.commands[-1] == "BREAK"
    last = found[-1]
    assert [(r.target, r.score) for r in last.results] == [(1, 73.0), (0, 21.0)]
    assert last.perf == sscma_answers.Perf(8.0, 365.0, 0.0)
    assert (last.kind, last.width, last.height) == ("classes", 240, 160)
    assert last.rotation == (None if generation == "1.0.x" and not pictures else 90)
    counts = [p.count for p in found if p.count is not None]
    assert counts == list(range(counts[0], counts[0] + 5))
    if pictures:
        assert last.picture == sscma_answers.Picture(board.picture, 48, 32)
    else:
        assert last.picture is None
    assert not last.picture_is_damaged


def test_a_board_behind_a_socket() -> None:
    with on_tcp(SscmaBoard()) as url, SscmaDevice.open(url, timeout_s=LONG_S) as device:
        device.invoke()
        assert next(device.predictions()).results[0].target == 1


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    "faults",
    [
        {"piece": 1},
        {"piece": 7},
        {"between": b"I (12) wifi: scan {done}\r\n"},
        {"between": BOOT},
        {"between": b"\xff\xfe\x00"},
        {"between": b'\r{"type":0,"na\n'},
        {"between": b"\r" + b"{" * 2000 + b"\n"},
        {"stale": True},
        {"streams_already": True},
        {"lost": Counter({"ID?": 1})},
        {"lost": Counter({"INVOKE": 1})},
        {"codes": {"NAME?": [7, 7], "INVOKE": [7, 1, 7]}},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_what_may_happen_on_the_way(
    generation: str, faults: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sscma, "_RESEND_S", 0.2)
    with opened(SscmaBoard(generation, **deepcopy(faults))) as device:
        begun = device.invoke(pictures=True)
        assert begun.arguments == {"1.0.x": 3, "2.0": 2}[generation]
        found = list(islice(device.predictions(), 3))
        assert device.identity.name == "Seeed Studio XIAO (ESP32-S3)"
        assert all(p.results[0].score == 73 and p.picture is not None for p in found)
        assert device.restarts == 0


def test_logs_are_passed_on() -> None:
    notes: list[Note] = []
    with opened(SscmaBoard(between=b"I (12) cam: slow\r\n"), notes=notes) as device:
        device.invoke()
        next(device.predictions())
    assert Note(NoteKind.LOG, "I (12) cam: slow") in notes


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_threshold_is_set_while_the_model_runs(generation: str) -> None:
    board = SscmaBoard(generation)
    with opened(board) as device:
        assert device.invoke(threshold=7).threshold == 50
    assert board.threshold == 7


@pytest.mark.parametrize("threshold", [0, 101])
def test_a_threshold_that_no_firmware_takes(threshold: int) -> None:
    board = SscmaBoard()
    with opened(board) as device, pytest.raises(UsageError, match=r"1\.\.100"):
        device.invoke(threshold=threshold)
    assert "INVOKE=-1,1" not in board.commands


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_board_without_a_model(generation: str) -> None:
    with opened(SscmaBoard(generation, has_model=False)) as device:
        assert device.model is None
        with pytest.raises(DeviceError, match="'INVOKE' with code"):
            device.invoke()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_firmware_without_a_model_runner(generation: str) -> None:
    board = SscmaBoard(generation)
    known = {name: n for name, n in board.arities().items() if name != "INVOKE"}
    board.arities = lambda: known  # type: ignore[method-assign]
    with opened(board) as device, pytest.raises(DeviceError, match="does not understand 'INVOKE'"):
        device.invoke()


@pytest.mark.parametrize("code", [c for c in CODES if c not in (1, 7)] + [99, -3])
def test_each_code_has_a_name(code: int) -> None:
    with opened(SscmaBoard(codes={"INVOKE": [code]})) as device, pytest.raises(DeviceError) as raised:
        device.invoke()
    assert f"code {code} ({CODES.get(code, ('unknown', ''))[0]})" in raised.value.message
    assert raised.value.details["code"] == code


@pytest.mark.parametrize("code", [1, 7])
def test_a_board_that_stays_busy_is_given_up(code: int) -> None:
    board = SscmaBoard(codes={"INVOKE": [code] * 99})
    with opened(board) as device, pytest.raises(DeviceError, match=CODES[code][0]):
        device.invoke()
    assert board.commands.count("INVOKE=-1,1") == TRIES


def test_an_optional_command_that_the_firmware_lacks_or_refuses() -> None:
    board = SscmaBoard(codes={"INFO?": [4]})
    board.arities = lambda: {"ID?": 0, "BREAK": 0, "MODEL?": 0, "INFO?": 0}  # type: ignore[method-assign]
    with opened(board) as device:
        assert device.identity.name == ""
        assert device.model is not None
        assert device.model.info.labels is None


@pytest.mark.parametrize("command", ["ID?", "BREAK", "INFO?"])
def test_a_silent_board(command: str) -> None:
    board = SscmaBoard(silent=frozenset({command}), between=b"I am another firmware\n")
    said = re.escape(f"no answer from board to '{command}' within 1 s")
    with pytest.raises(DeviceError, match=said), opened(board, SHORT_S):
        pass


def test_a_board_that_restarts_when_it_is_told_to_run_its_model() -> None:
    """Firmware 2.0 does so if it has no algorithm for the model."""
    board = SscmaBoard()
    answer = board.answer

    def restart(name: str, command: str, given: list[str]) -> bytes:
        return board.restart() if command == "INVOKE" else answer(name, command, given)

    board.answer = restart  # type: ignore[method-assign]
    said = "restarted on 'INVOKE'; it said: .*INIT@"
    with opened(board) as device, pytest.raises(DeviceError, match=said):
        device._timeout_s = 0.3
        device.invoke()


def test_a_board_that_talks_without_end_but_does_not_answer() -> None:
    started = time.monotonic()
    board = SscmaBoard(silent=frozenset({"ID?"}), streams_already=True)
    with pytest.raises(DeviceError, match="no answer"), opened(board, 0.3):
        pass
    assert time.monotonic() - started < LONG_S


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_board_that_restarts_is_told_to_go_on(generation: str) -> None:
    notes: list[Note] = []
    board = SscmaBoard(generation, restart_at=(3, 6))
    with opened(board, notes=notes) as device:
        device.invoke()
        found = list(islice(device.predictions(), 6))
        assert [p.count for p in found] == [1, 2, 4, 5, 7, 8]
        assert device.restarts == 2
    assert [n.kind for n in notes if n.kind is not NoteKind.LOG] == [NoteKind.RESET] * 2
    assert "restarted" in next(n.text for n in notes if n.kind is NoteKind.RESET)


def test_a_board_that_restarts_in_silence_is_told_to_go_on() -> None:
    with opened(SscmaBoard(restart_at=(3,), tells_restart=False), 2 * SHORT_S) as device:
        device.invoke()
        counts = [p.count for p in islice(device.predictions(), 3)]
        assert counts == [1, 2, 4]
        assert device.restarts == 1


def test_a_board_that_only_restarts_is_given_up() -> None:
    with opened(SscmaBoard(restart_at=range(2, 99))) as device, pytest.raises(DeviceError, match="restarted"):
        device.invoke()
        list(device.predictions())
    assert device.restarts == TRIES - 1


def test_a_board_that_falls_silent() -> None:
    with opened(SscmaBoard(falls_silent_at=2)) as device:
        device.invoke()
        device._timeout_s = 0.3
        with pytest.raises(DeviceError, match="no answer from board to 'ID"):
            list(device.predictions())


def test_a_board_that_is_unplugged() -> None:
    board = SscmaBoard()
    with (
        on_socket(board) as line,
        SscmaDevice.open(SocketTransport(line, "board"), timeout_s=LONG_S) as device,
    ):
        device.invoke()
        stream = device.predictions()
        next(stream)
        device._transport.close()
        with pytest.raises(DeviceError, match="closed"):
            list(stream)


def test_an_error_while_the_model_runs() -> None:
    with (
        opened(SscmaBoard(event_codes={2: 7, 4: 4})) as device,
        pytest.raises(DeviceError, match=r"code 4 \(I/O"),
    ):
        device.invoke()
        for _ in device.predictions():
            pass
    assert device.restarts == 1


def test_events_that_say_little_or_nothing() -> None:
    raw = {
        2: b'\r{"type":1,"name":"OTHER@INVOKE","code":4,"data":{}}\n',
        3: b'\r{"type":1,"name":"AT","code":5,"data":"Uknown command: X"}\n',
        4: b"\r{" + b"x" * (MAX_LINE_BYTES + 1) + b"\n",
        5: b'\r{"type":1,"name":"WIFI","code":0,"data":[[[[]]]]}\n',
    }
    with opened(SscmaBoard(raw_events=raw, results={})) as device:
        device.invoke()
        found = list(islice(device.predictions(), 2))
        assert [(p.count, p.kind, p.results) for p in found] == [(1, "none", ()), (6, "none", ())]
        assert device.losses.too_long == 1


def test_a_detector() -> None:
    with opened(SscmaBoard(algorithm=3, results={"boxes": [[87, 83, 77, 65, 70, 1], [1, 2]]})) as device:
        assert device.invoke().algorithm == 3
        found = next(device.predictions())
    assert found.kind == "boxes"
    assert found.results == (sscma_answers.Result(1, 70.0, (87.0, 83.0, 77.0, 65.0)),)


def test_a_picture_that_is_none() -> None:
    with opened(SscmaBoard(picture=b"\xff\xd8\xff not a picture")) as device:
        device.invoke(pictures=True)
        found = next(device.predictions())
    assert found.picture is None
    assert found.picture_is_damaged
