"""Talks to the bootloader of Himax's WiseEye2: its menu, files by XMODEM-CRC, and its question after each.

What it says and wants to hear was read from Himax's xmodem_send.py and Seeed's python-sscma; both agree.
"""

import contextlib
import io
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.device.transport import LineBrokenError, Transport
from edgekit.flash._hearing import Listener
from edgekit.flash._line import Line

PACKET_BYTES = 128
_ACK, _NAK, _CAN, _EOT, _INVITATION = 0x06, 0x15, 0x18, 0x04, ord("C")


@dataclass(frozen=True, slots=True)
class Words:
    """What the bootloader says and wants to hear."""

    menu: str
    menu_key: bytes
    ready: str
    question: str
    yes: bytes
    no: bytes


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds, and how often they are tried."""

    enter_s: float = 60.0
    """Until a person has pressed RESET."""
    key_s: float = 0.01
    """Between keys while the bootloader is waited for: it listens for 100 ms only."""
    press_on_s: float = 0.5
    """Keys after the last that was said that is no known sentence ..."""
    listen_s: float = 4.0
    """... and until when none are pressed then."""
    invite_s: float = 20.0
    """Until the bootloader asks for a file."""
    reply_s: float = 10.0
    """Until it answers a packet: it may erase flash meanwhile, and asks again itself if one was lost."""
    question_s: float = 60.0
    """Until it has written a file and asks whether there is more."""
    ask_again_s: float = 2.0
    """Between answers that nobody seems to have heard."""
    quiet_s: float = 0.1
    """Silence after which nothing more of what was said before will come."""
    leave_s: float = 3.0
    """Until it says something when it restarts."""
    packet_tries: int = 10
    stuck_s: float = 60.0
    """Until one packet is acknowledged, however often it is sent."""
    stop_s: float = 0.5
    """For telling the board to stop when the work is given up."""


class FileFailedError(Exception):
    """One file did not get through; the bootloader may be entered again."""


class SilentError(Exception):
    """There is no bootloader at the other end; the text says what came from there."""


class Session:
    """One stay in the bootloader; entered again after a failure.

    Args:
        transport: the line, at the bootloader's speed.
        words: what is said.
        patience: deadlines.
        clock: seconds, going forward.
    """

    def __init__(
        self, transport: Transport, words: Words, patience: Patience, clock: Callable[[], float]
    ) -> None:
        self._line = Line(transport, clock)
        self.clock = clock
        self._words = words
        self._patience = patience
        self._is_asked = False
        self._is_invited = False
        self._is_disturbed = False

    def enter(self) -> None:
        """Press the menu's key until the bootloader is there. Raises SilentError.

        Who has said something that is no known sentence may be the bootloader waiting for a file: keys pause
        then, because it asks (`C`) only if nothing comes, and go on as soon as it says anything else.
        """
        self._is_asked = self._is_invited = False
        listeners = [Listener(text) for text in (self._words.menu, self._words.ready, self._words.question)]
        deadline = self._line.clock() + self._patience.enter_s
        talked_at = heard_at = -math.inf
        invitations = 0
        while (now := self._line.clock()) < deadline:
            if not self._patience.press_on_s < now - talked_at < self._patience.listen_s:
                self._line.write(self._words.menu_key)
            while (heard := self._line.clock()) < deadline:
                if (byte := self._line.byte(now + self._patience.key_s - heard)) is None:
                    break
                is_alone = self._line.clock() - heard_at > self._patience.quiet_s
                heard_at = self._line.clock()
                if byte == _INVITATION:
                    invitations += is_alone
                else:
                    talked_at, invitations = heard_at, 0
                said = next((one.sentence for one in listeners if one.hears(byte)), None)
                if said is not None or invitations == 2:
                    self._is_asked = said == self._words.question
                    self._is_invited = said in (None, self._words.ready)
                    return
        raise SilentError(self._line.came())

    def send(self, content: bytes, on_packet: Callable[[int], None]) -> None:
        """Send one file and wait until the bootloader has it.

        Args:
            content: the file; its last packet is filled up with 0x1A.
            on_packet: called with the number of acknowledged packets.

        Raises:
            FileFailedError: the bootloader did not take it.
        """
        import xmodem

        answer = self._words.no if self._is_asked else self._words.menu_key
        self._is_asked = False
        self._is_disturbed = False
        # Where it is waiting for the file already, a key would be one byte too many.
        exchange = _Exchange(self, self._words, self._patience, answer)
        # The package reports through logging, which without a handler would print.
        logging.getLogger("xmodem.XMODEM").addHandler(logging.NullHandler())
        modem = xmodem.XMODEM(exchange.getc, exchange.putc)
        try:
            taken = modem.send(
                io.BytesIO(content),
                retry=self._patience.packet_tries,
                timeout=self._patience.reply_s,
                quiet=True,
                callback=lambda _sent, acknowledged, _errors: on_packet(acknowledged),
            )
        except BaseException as error:
            if not isinstance(error, LineBrokenError):
                with contextlib.suppress(LineBrokenError):
                    self._line.write(bytes([_CAN, _CAN]), self._patience.stop_s)
            raise
        if not taken:
            raise FileFailedError(f"a packet was refused {self._patience.packet_tries + 1} times")
        if not exchange.question_was_heard and not self._await(self._words.question):
            raise FileFailedError("the board did not say that it has the file")
        self._is_asked = True
        self.purge()

    def leave(self) -> bool:
        """Answer that there is no more, and return whether the board says anything then: it restarts."""
        for _ in range(3):
            self._line.write(self._words.yes)
            # Once it has said something it may be in the moment in which any key keeps it in its bootloader.
            if self._line.byte(self._patience.leave_s) is not None:
                return True
        return False

    def await_invitation(self, answer: bytes) -> bool:
        """Give an answer until the bootloader asks for a file, and return whether it does.

        It asks with a `C` once a second or so: one with silence behind it, for its sentences have them too.
        """
        deadline = self._line.clock() + self._patience.invite_s
        say_at = self._line.clock() + (self._patience.ask_again_s if self._is_invited else 0.0)
        self._is_invited = False
        last = None
        while self._line.clock() < deadline:
            if self._line.clock() >= say_at and last is None:
                self._line.write(answer)
                say_at = self._line.clock() + self._patience.ask_again_s
            byte = self._line.byte(self._patience.quiet_s)
            if byte is None and last == _INVITATION:
                return True
            last = byte
        return False

    def reply(self, timeout_s: float, question: Listener | None) -> bytes | None:
        """Wait for the answer to a packet; anything else is noise, and two CAN in a row end the file.

        Args:
            timeout_s: how long.
            question: given after the last packet: whoever asks whether there is more has got the file.
        """
        deadline = self._line.clock() + timeout_s
        before = None
        for byte in self._bytes_until(deadline):
            self._is_disturbed |= byte not in (_ACK, _INVITATION)
            if byte in (_ACK, _NAK):
                return bytes([byte])
            if byte == before == _CAN:
                raise FileFailedError("the board cancelled the transfer")
            if question is not None and question.hears(byte):
                return b""
            before = byte
        self._is_disturbed = True
        return None

    def confirm(self, packet: bytes) -> None:
        """Make sure that the board has the last packet before it is told that it has all.

        After noise an answer may have been taken for one that it was not. A packet that comes twice does no
        harm to a receiver that has it, but not every one is perfect: on a quiet line nothing is sent twice.

        Raises:
            FileFailedError: the board does not acknowledge it.
        """
        self.purge()
        for _ in range(self._patience.packet_tries if self._is_disturbed else 0):
            self.packet(packet, again=True)
            if self.reply(self._patience.reply_s, None) == bytes([_ACK]):
                return
        if self._is_disturbed:
            raise FileFailedError("the board does not acknowledge the last packet")

    def packet(self, data: bytes, *, again: bool) -> None:
        """Send a packet. Answers to an earlier one that are still under way must not count for this one."""
        if again:
            self.purge()
        else:
            self._drop(self._line.take())
        self._line.write(data)

    def purge(self) -> None:
        """Drop what is heard until nobody has spoken for a moment."""
        deadline = self._line.clock() + self._patience.reply_s
        while self._line.clock() < deadline and (byte := self._line.byte(self._patience.quiet_s)) is not None:
            self._drop(bytes([byte]))

    def _drop(self, heard: bytes) -> None:
        self._is_disturbed |= bool(heard.strip(bytes([_INVITATION])))

    def _bytes_until(self, deadline: float) -> Iterator[int]:
        """Yield what is heard until then, even from a line that never pauses."""
        while (left := deadline - self._line.clock()) > 0 and (byte := self._line.byte(left)) is not None:
            yield byte

    def _await(self, sentence: str) -> bool:
        listener = Listener(sentence)
        deadline = self._line.clock() + self._patience.question_s
        return any(listener.hears(byte) for byte in self._bytes_until(deadline))


class _Exchange:
    """The two functions that the package xmodem wants, for one file."""

    def __init__(self, session: Session, words: Words, patience: Patience, answer: bytes) -> None:
        self._session = session
        self._words = words
        self._patience = patience
        self._answer = answer
        self._sent = b""
        self._sent_at = 0.0
        self.question_was_heard = False

    def getc(self, _size: int, timeout: float = 1.0) -> bytes | None:
        """Return the bootloader's request for a file, then its answers."""
        if not self._sent:
            if not self._session.await_invitation(self._answer):
                raise FileFailedError("the board did not ask for the file")
            return bytes([_INVITATION])
        is_end = self._sent == bytes([_EOT])
        reply = self._session.reply(timeout, Listener(self._words.question) if is_end else None)
        if reply == b"":
            self.question_was_heard = True
            return bytes([_ACK])
        return reply

    def putc(self, data: bytes, _timeout: float = 1.0) -> int:
        """Send a packet."""
        packet = bytes(data)
        if packet == bytes([_EOT]) != self._sent:
            self._session.confirm(self._sent)
        now = self._session.clock()
        if packet != self._sent:
            self._sent_at = now
        elif now - self._sent_at > self._patience.stuck_s:
            raise FileFailedError(f"a packet was not acknowledged for {self._patience.stuck_s:g} s")
        self._session.packet(packet, again=packet == self._sent)
        self._sent = packet
        return len(data)
