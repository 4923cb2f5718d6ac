"""Whatever SSCMA firmware sends, opening and each wait for a result end at the timeout."""

import itertools
import json
from collections.abc import Callable

import pytest
from hostile_line import Peer, connect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.device import sscma
from edgekit.device.sscma import SscmaDevice
from edgekit.errors import DeviceError

TIMEOUT_S = 12.0
MARGIN_S = 0.5


def message(kind: int, name: str, code: int = 0, data: object = None) -> bytes:
    said = {"type": kind, "name": name, "code": code, "data": data if data is not None else {}}
    return b"\r" + json.dumps(said).encode() + b"\n"


class Board(Peer):
    """It answers some commands, and says one thing over and over, from the start or from INVOKE on."""

    def __init__(self, known: str, flood: bytes = b"", period_s: float = 0.05, late: bool = False) -> None:
        super().__init__()
        self.known, self.flood, self.period_s = known.split(), flood, period_s
        self.floods = not late
        self.tag = self.rest = ""

    def hear(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data.decode()).split("\r\n")
        for line in lines:
            name = line.removeprefix("AT+").partition("=")[0]
            tag, _, command = name.partition("@")
            if command in self.known:
                self.out += message(0, name)
            if command == "INVOKE":
                self.tag, self.floods = tag, True

    def idle(self) -> None:
        if self.floods and len(self.out) < len(self.flood) + 100_000:
            self.out += self.flood.replace(b"TAG", self.tag.encode())


ALL = "ID? BREAK NAME? VER? INFO? MODEL? INVOKE"
FLOODS = {
    "nothing": (b"", ""),
    "events": (message(1, "INVOKE", 0, {"count": 1}) * 20, r"; other messages: [0-9,]+"),
    "events of another": (message(1, "X@INVOKE", 0, {"count": 1}), r"; other messages: \d+"),
    "logs": (message(2, "AT", 3, "log \x1b[2J") * 20, r"; other messages: [0-9,]+; it said: log \[2J"),
    "replies to others": (message(0, "OTHER@ID?"), r"; other messages: \d+"),
    "deep": (b"\r" + b'{"a":' * 30000 + b"\n", r"; (other messages: \d+; )?damaged lines: \d+"),
    "half messages": (b'\r{"type":0,"na\n', r"; (other messages: \d+; )?damaged lines: \d+"),
    "a line without end": (b"x" * 65536, ""),
    "2 MiB": (b"\r{" + b"x" * (2 << 20) + b"\n", r"; (other messages: \d+; )?damaged lines: \d+"),
    "text": (b"I (1) boot\r\n" * 50, r"; other messages: [0-9,]+; it said: I \(1\) boot"),
    "ends of lines": (b"\n" * 999, ""),
}


@pytest.mark.parametrize("known", ["", "ID?", "ID? BREAK NAME? VER? INFO?"])
@pytest.mark.parametrize(("flood", "said"), FLOODS.values(), ids=list(FLOODS))
def test_it_is_not_waited_for_longer_than_the_timeout(
    monkeypatch: pytest.MonkeyPatch, known: str, flood: bytes, said: str
) -> None:
    line = connect(monkeypatch, Board(known, flood), sscma)
    with pytest.raises(DeviceError, match=f"no answer from peer to '[A-Z]*[?]?' within 12 s{said}") as caught:
        SscmaDevice.open(line, timeout_s=TIMEOUT_S)
    assert line.clock.now - 1000.0 <= TIMEOUT_S + MARGIN_S
    assert caught.value.exit_code == 10
    assert "\x1b" not in caught.value.message


def test_a_board_that_answers_slowly_has_one_timeout_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Board):
        def hear(self, data: bytes) -> None:
            line.clock.now += 5.0
            super().hear(data)

    line = connect(monkeypatch, Slow(ALL), sscma)
    with pytest.raises(DeviceError, match=r"within 12 s"):
        SscmaDevice.open(line, timeout_s=TIMEOUT_S)
    assert line.clock.now - 1000.0 <= TIMEOUT_S + 5.0 + MARGIN_S


def test_a_board_that_stays_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Board):
        def hear(self, data: bytes) -> None:
            for line in data.decode().split():
                self.out += message(0, line.removeprefix("AT+"), 7)

    line = connect(monkeypatch, Busy(ALL), sscma)
    with pytest.raises(DeviceError, match=r"with code 7 \(busy\)"):
        SscmaDevice.open(line, timeout_s=TIMEOUT_S)
    assert line.clock.now - 1000.0 <= TIMEOUT_S + MARGIN_S


@pytest.mark.parametrize(
    ("flood", "said"),
    [
        *FLOODS.values(),
        (message(1, "TAG@INVOKE", 0, [1]), "other messages: "),
        (message(1, "TAG@OTHER"), "other messages: "),
    ],
    ids=[*FLOODS, "events without an object", "events of another command"],
)
def test_a_result_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, flood: bytes, said: str
) -> None:
    """The board is told once to go on, which it says it does; after that it has had two timeouts."""
    line = connect(monkeypatch, Board(ALL, flood, late=True), sscma)
    with SscmaDevice.open(line, timeout_s=TIMEOUT_S) as device:
        device.invoke()
        began = line.clock.now
        with pytest.raises(DeviceError, match=f"no result from peer for 12 s|{said}"):
            next(device.predictions())
        assert (
            line.clock.now - began <= 2 * TIMEOUT_S + 6.0
        )  # what is said before the replies has to be read first
        assert device.restarts == 1


@pytest.mark.parametrize(
    "flood", [message(1, "TAG@INVOKE", 7), message(1, "INIT@STAT?")], ids=["busy", "restart"]
)
def test_a_board_that_only_stops_is_given_up(monkeypatch: pytest.MonkeyPatch, flood: bytes) -> None:
    line = connect(monkeypatch, Board(ALL, flood, period_s=3.0, late=True), sscma)
    with SscmaDevice.open(line, timeout_s=TIMEOUT_S) as device:
        device.invoke()
        began = line.clock.now
        with pytest.raises(DeviceError, match=r"restarted|code 7"):
            next(device.predictions())
        assert line.clock.now - began <= sscma.TRIES * TIMEOUT_S


SAYINGS: list[Callable[[str], bytes]] = [
    *((lambda _, flood=flood: flood) for flood, _ in FLOODS.values() if len(flood) < 1 << 16),  # type: ignore[misc]
    lambda tag: message(0, f"{tag}@ID?"),
    lambda tag: message(0, f"{tag}@INVOKE", 7),
    lambda tag: message(1, f"{tag}@INVOKE", 1),
    lambda tag: message(1, f"{tag}@INVOKE", 0, "no object"),
    lambda tag: message(1, "INIT@STAT?"),
    lambda tag: message(1, "AT", 5, f"Uknown command: {tag}@BREAK"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=6),
    st.floats(0.01, 20.0),
    st.sampled_from(["", "ID?", ALL, "ID? INVOKE"]),
)
def test_any_board_is_through_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, said: list[Callable[[str], bytes]], period_s: float, known: str
) -> None:
    class Babbler(Board):
        turns = itertools.cycle(said)

        def hear(self, data: bytes) -> None:
            super().hear(data)
            self.tag = data.decode().rpartition("AT+")[2].partition("@")[0]

        def idle(self) -> None:
            self.out += next(self.turns)(self.tag)

    line = connect(monkeypatch, Babbler(known, b"", period_s), sscma)
    with pytest.raises(DeviceError), SscmaDevice.open(line, timeout_s=TIMEOUT_S) as device:
        device.invoke()
        list(device.predictions())
    # Opening, the first INVOKE, and for each stop: the wait, the greeting, twice an INVOKE.
    assert line.clock.now - 1000.0 <= (2 + sscma.TRIES * 4) * TIMEOUT_S
