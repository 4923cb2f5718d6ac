"""Whatever MLPerf Tiny firmware sends, opening and each command end at the timeout."""

import contextlib
from collections.abc import Callable

import pytest
from hostile_line import Peer, connect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.device import mlperf_tiny
from edgekit.device.mlperf_tiny import MlperfDevice
from edgekit.errors import DeviceError

TIMEOUT_S = 12.0
MARGIN_S = 0.2
NAME = b"m-name-dut-[x]\r\nm-ready\r\n"
PROFILE = b"m-profile-[f]\r\nm-model-[ic01]\r\nm-ready\r\n"


class Firmware(Peer):
    """It behaves, but for what it says over and over from one command on.

    Args:
        since: the first word of the command; empty for from the start.
        flood: what it says each `period_s` from then on, instead of an answer.
    """

    def __init__(self, since: str, flood: bytes, period_s: float = 0.05) -> None:
        super().__init__()
        self.period_s = period_s
        self.since, self.flood = since, flood
        self.floods = not since
        self.answers = {
            **{"name": NAME, "profile": PROFILE, "timestamp": b"m-lap-us-1\r\nm-ready\r\n"},
            **{"db load": b"m-[Expecting 40 bytes]\r\nm-ready\r\n", "db": b"m-ready\r\n"},
            "infer": b"m-lap-us-1\r\nm-lap-us-9\r\nm-infer-done\r\nm-results-[0.1]\r\nm-ready\r\n",
        }
        self.rest = b""

    def hear(self, data: bytes) -> None:
        *commands, self.rest = (self.rest + data).split(b"%")
        for command in commands:
            word = "db load" if command.startswith(b"db load") else command.decode().split()[0]
            self.floods |= word == self.since
            self.out += b"" if self.floods else self.answers[word]

    def idle(self) -> None:
        self.out += self.flood if self.floods else b""


FLOODS = {
    "nothing": (b"", "expected 'm-ready', got nothing"),
    "ready": (b"m-ready\r\n", "only with 24[01] other replies, the last 'm-ready'"),
    "another": (b"m-name-dut\r\nm-ready\r\n", "24[01] other replies, the last 'm-name-dut' | 'm-ready'"),
    "errors": (b"e-[Unknown command: x]\r\nm-ready\r\n", r"24[01] other replies, the last 'e-\[Unknown"),
    "lines": (b"m-lap-us-1\r\n" * 9, r"expected 'm-ready', got 2,1\d\d lines, the last 'm-lap-us-1' \|"),
    "a line without end": (b"x" * 100, "expected 'm-ready', got 'x{60}'"),
    "2 MiB": (b"x" * 65536, "the device sent 2,[0-9,]+ bytes without 'm-ready'"),
    "bytes": (b"\xff\0\x1b", "expected 'm-ready', got"),
}


@pytest.mark.parametrize("since", ["", "name", "profile"])
@pytest.mark.parametrize(("flood", "said"), FLOODS.values(), ids=list(FLOODS))
def test_it_is_not_waited_for_longer_than_the_timeout(
    monkeypatch: pytest.MonkeyPatch, since: str, flood: bytes, said: str
) -> None:
    line = connect(monkeypatch, Firmware(since, flood), mlperf_tiny)
    began = line.clock.now
    with pytest.raises(DeviceError, match=said) as caught:
        MlperfDevice.open(line, timeout_s=TIMEOUT_S)
    assert line.clock.now - began <= TIMEOUT_S + MARGIN_S
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(
    ("since", "call"),
    [
        ("timestamp", MlperfDevice.timestamp),
        ("infer", MlperfDevice.infer),
        ("db load", lambda device: device.load(bytes(40))),
        ("db", lambda device: device.load(bytes(40))),
    ],
)
@pytest.mark.parametrize("flood", [flood for flood, _ in FLOODS.values()], ids=list(FLOODS))
def test_no_command_is_waited_for_longer_than_the_timeout(
    monkeypatch: pytest.MonkeyPatch, since: str, call: Callable[[MlperfDevice], object], flood: bytes
) -> None:
    line = connect(monkeypatch, Firmware(since, flood), mlperf_tiny)
    device = MlperfDevice.open(line, timeout_s=TIMEOUT_S)
    began = line.clock.now
    with pytest.raises(DeviceError):
        call(device)
    assert line.clock.now - began <= TIMEOUT_S + MARGIN_S


def test_a_slow_drop_does_not_hold_the_door_open(monkeypatch: pytest.MonkeyPatch) -> None:
    line = connect(monkeypatch, Firmware("profile", b"m", period_s=0.9 * TIMEOUT_S), mlperf_tiny)
    with pytest.raises(DeviceError, match=r"no answer from peer to 'profile' within 12 s"):
        MlperfDevice.open(line, timeout_s=TIMEOUT_S)
    assert line.clock.now - 1000.0 <= TIMEOUT_S + MARGIN_S


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*(flood for flood, _ in FLOODS.values()), NAME, PROFILE, b"m-init-done\r\n", b"\n" * 999]
            ),
            st.binary(max_size=20),
        ),
        min_size=1,
        max_size=8,
    ),
    st.floats(0.01, 20.0),
    st.integers(0, 3),
)
def test_any_firmware_is_through_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, said: list[bytes], period_s: float, answered: int
) -> None:
    """It answers so many commands, and says things in turn all the time."""

    class Babbler(Firmware):
        number = commands = 0

        def hear(self, data: bytes) -> None:
            self.commands += 1
            if self.commands <= answered:
                super().hear(data)

        def idle(self) -> None:
            self.number += 1
            self.out += said[self.number % len(said)]

    line = connect(monkeypatch, Babbler("never", b"", period_s), mlperf_tiny)
    with contextlib.suppress(DeviceError):
        MlperfDevice.open(line, timeout_s=TIMEOUT_S).load(bytes(40))
    assert line.clock.now - 1000.0 <= 4 * TIMEOUT_S + MARGIN_S  # opening, and three commands of the load
