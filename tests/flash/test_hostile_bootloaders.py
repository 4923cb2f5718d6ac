"""Whatever comes from the board while it is flashed, the work ends, and says what the board holds."""

import itertools

import pytest
from flash.we2_bootloader import ACK, CAN, MENU, NAK, QUESTION, READY
from hostile_line import Clock, Peer, VirtualLine
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import board as boards
from edgekit.errors import FlashError
from edgekit.flash import xmodem
from edgekit.flash._esptool_log import Log, Region
from edgekit.flash._hearing import Listener
from edgekit.flash._line import Line
from edgekit.flash._we2_session import Patience
from edgekit.flash.xmodem import File

V2 = boards.load("grove_vision_ai_v2")
FACTS = xmodem._read(V2)
FILES = (File("the firmware", 0, bytes(300)), File("model", 0x400000, bytes(100)))
QUICK = Patience(enter_s=6.0, invite_s=5.0, reply_s=3.0, question_s=6.0, stuck_s=8.0)
OPENING_S = QUICK.enter_s + 1.0
FILE_S = QUICK.invite_s + QUICK.stuck_s + 2 * QUICK.reply_s + QUICK.question_s + 5.0
"""Until a file that gets nowhere is given up."""


class Flood(Peer):
    """It says these in turn, whatever it hears."""

    def __init__(self, said: list[bytes], period_s: float = 0.05) -> None:
        super().__init__()
        self.turns, self.period_s = itertools.cycle(said), period_s

    def idle(self) -> None:
        self.out += next(self.turns)


def send(peer: Peer) -> tuple[VirtualLine, FlashError, list[int]]:
    """Return the line, the error that flashing ends in, and the progress that was told."""
    line = VirtualLine(peer, Clock())
    told: list[int] = []
    with pytest.raises(FlashError) as caught:
        xmodem.send_files(
            line,
            FILES,
            FACTS,
            V2,
            lambda done, _: told.append(done),
            lambda _: None,
            QUICK,
            clock=line.clock.monotonic,
        )
    return line, caught.value, told


def elapsed(line: VirtualLine) -> float:
    return line.clock.now - Clock().now


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"x",
        b"I (1) app: a log line\r\n" * 20,
        b"CC",
        bytes([ACK]),
        bytes([NAK]),
        bytes([CAN]),
        b"x" * 65536,
    ],
    ids=["silence", "x", "log", "C", "ACK", "NAK", "CAN", "much"],
)
def test_what_is_no_bootloader_is_given_up(said: bytes) -> None:
    line, error, told = send(Flood([said], 0.05 if len(said) < 1000 else 2.0))
    assert "its bootloader does not answer" in error.message
    assert "nothing was written, the board is as it was" in error.message
    assert ("bytes came" in error.message) == bool(said)
    assert elapsed(line) <= OPENING_S
    assert told == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([MENU], "did not ask for the file"),
        ([READY], "did not ask for the file"),
        ([QUESTION], "did not ask for the file"),
        ([MENU, b"", b"C", b"", b""], "not acknowledged|did not ask|refused"),
        ([READY, b"", b"C", bytes([NAK]) * 9, b""], "not acknowledged|did not ask|refused"),
        ([READY, b"", b"C", bytes([CAN]) * 2, b""], "cancelled|did not ask"),
        (
            [READY, b"", b"C", bytes([ACK]) * 9, b""],
            "did not say that it has the file|last packet|did not ask",
        ),
    ],
)
@pytest.mark.parametrize("period_s", [0.02, 0.2, 1.0])
def test_a_bootloader_that_only_says_things_is_given_up(said: list[bytes], why: str, period_s: float) -> None:
    line, error, _ = send(Flood(said, period_s))
    assert error.exit_code == 9
    assert elapsed(line) <= xmodem.TRIES * (OPENING_S + 2 * FILE_S)


def test_a_packet_that_is_never_acknowledged() -> None:
    class AsksOn(Peer):
        """It goes on asking for the file, whatever it gets."""

        period_s = 1.0

        def hear(self, data: bytes) -> None:
            self.out += READY if data == FACTS.words.menu_key else b""

        def idle(self) -> None:
            self.out += b"C"

    line, error, told = send(AsksOn())
    assert "a packet was not acknowledged for 8 s, 3 times" in error.message
    assert "the firmware (300 B at 0x0): broken" in error.message
    assert elapsed(line) <= xmodem.TRIES * (OPENING_S + FILE_S)
    assert sum(told) == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [MENU, READY, QUESTION, b"C", b"", bytes([ACK]), bytes([NAK]), bytes([CAN]), b"x" * 300]
            ),
            st.binary(max_size=6),
        ),
        min_size=1,
        max_size=8,
    ),
    st.floats(0.05, 5.0),
)
def test_any_bootloader_is_through_in_bounded_time(said: list[bytes], period_s: float) -> None:
    line = VirtualLine(Flood(said, period_s), Clock())
    try:
        xmodem.send_files(line, FILES, FACTS, V2, None, lambda _: None, QUICK, line.clock.monotonic)
    except FlashError as error:
        assert "on the board now" in error.message or "as it was" in error.message
    packets = sum(-(-len(file.content) // 128) + 2 for file in FILES)
    assert elapsed(line) <= len(FILES) * xmodem.TRIES * (OPENING_S + packets * FILE_S)


def test_an_interrupt_is_obeyed_on_a_line_that_never_pauses() -> None:
    peer = Flood([READY, b"", b"C", b"", bytes([ACK])], 0.15)
    line = VirtualLine(peer, Clock())
    interrupted: list[float] = []

    def interrupt(done: int, whole: int) -> None:
        interrupted.append(line.clock.now)
        peer.turns, peer.period_s = itertools.repeat(b"x"), 0.001
        line._idle_at = line.clock.now
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xmodem.send_files(line, FILES, FACTS, V2, interrupt, lambda _: None, QUICK, line.clock.monotonic)
    assert line.clock.now - interrupted[0] < 1.0


def test_of_a_flood_only_the_end_is_kept() -> None:
    line = VirtualLine(Flood([b"x" * 65536], 0.001), Clock())
    reader = Line(line, line.clock.monotonic)
    exchange = line.exchange
    line.exchange = lambda data, wait: (0, exchange(b"", 0.01)[1])  # type: ignore[method-assign]
    with pytest.raises(Exception, match="takes no more bytes"):
        reader.write(b"y")
    assert len(reader._heard) <= 65536
    assert elapsed(line) <= 11.0


@given(st.text("abcd", min_size=1, max_size=40), st.text("abcdx", max_size=80))
def test_a_sentence_is_heard_where_its_edit_distance_says_so(sentence: str, heard: str) -> None:
    """P. Sellers, The theory and computation of evolutionary distances, J. Algorithms 1, 1980."""
    listener, above = Listener(sentence), list(range(len(sentence) + 1))
    for character in heard:
        column = [0]
        for i, wanted in enumerate(sentence):
            column.append(min(above[i] + (character != wanted), above[i + 1] + 1, column[i] + 1))
        above = column
        assert listener.hears(ord(character)) == (column[-1] <= len(sentence) // 6)


def esptool_says(*lines: str) -> list[bool]:
    log = Log([Region("a", 0, 1000), Region("b", 0x1000, 1000)], None, "")
    return [log.feed(line) for line in lines]


def test_esptool_comes_further_only_where_it_says_something_new() -> None:
    script: list[tuple[str, bool]] = [
        ("Connecting....", False),
        ("Connected to ESP32-S3 on /dev/x:", True),
        ("Connected to ESP32-S3 on /dev/x:", False),
        ("Flash will be erased from 0x0 to 0x10...", True),
        ("Flash will be erased from 0x1000 to 0x2000...", False),
        ("Writing at 0x00000000 [===>   ]  40.0% 400/1000 bytes...", True),
        ("Writing at 0x00000000 [===>   ]  40.0% 400/1000 bytes...", False),
        ("Writing at 0x00000000 [=>     ]  20.0% 200/1000 bytes...", False),
        ("Wrote 1000 bytes at 0x00000000 in 0.1 seconds.", True),
        ("Wrote 1000 bytes at 0x00000000 in 0.1 seconds.", False),
        ("Hash of data verified.", True),
        ("Hash of data verified.", False),
        ("Writing at 0x00001000 [===>   ]  10.0% 100/1000 bytes...", True),
        ("I am still here", False),
    ]
    assert esptool_says(*(line for line, _ in script)) == [new for _, new in script]
