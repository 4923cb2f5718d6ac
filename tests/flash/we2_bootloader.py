"""A scripted WiseEye2 bootloader with seeded faults: its own XMODEM-CRC receiver, its own time.

It shares no code with what it tests: the CRC is binascii's, the receiver follows the XMODEM-CRC description.
"""

import binascii
import math
import random
from dataclasses import dataclass, field

BANNER = b"\r\n1st BL Modem Build\r\nPlease input any key to enter X-Modem mode in 100 ms\r\n"
MENU = b"\r\nXMODEM update\r\n[0] Reboot system\r\n[1] Xmodem download and burn FW image\r\n[2] Erase\r\n"
READY = b"\r\nSend data using the xmodem protocol from your terminal\r\n"
QUESTION = b"\r\nDo you want to end file transmission and reboot system? (y)\r\n"
SOH, EOT, ACK, NAK, CAN = 0x01, 0x04, 0x06, 0x15, 0x18
BYTE_S = 10 / 921600
USB_FRAME_S = 0.001


@dataclass
class Faults:
    """What goes wrong, as probabilities per packet or byte, or at given packets of the whole session."""

    seed: int = 0
    noise: float = 0.0
    """Per byte to the host: a random byte in front of it."""
    garbled_text: float = 0.0
    """Per byte of a sentence: another byte instead."""
    flipped: float = 0.0
    """Per byte from the host: one bit is flipped."""
    nak: float = 0.0
    duplicate_ack: float = 0.0
    lost_packet: float = 0.0
    lost_ack: float = 0.0
    cancel_at: frozenset[int] = frozenset()
    """Packets of the session, from 1, at which it cancels."""
    silent_after: int | None = None
    """Packets after which it says nothing any more; 0 means from the start."""
    nak_first_eot: bool = False
    lost_eot_ack: bool = False
    hangs_after_cancel: bool = False
    rejected: frozenset[int] = frozenset()
    """Addresses that it does not take."""
    early_naks: frozenset[int] = frozenset()
    """Packets that are acknowledged late, and noise that looks like NAK comes first."""
    late_acks: frozenset[int] = frozenset()
    """Packets that are acknowledged even later."""
    lost_at: frozenset[int] = frozenset()
    """Packets that get lost."""
    false_acks: frozenset[int] = frozenset()
    """Packets that get lost and seem to be acknowledged by noise: 0x06 with other bytes before it."""
    other_words: tuple[bytes, ...] = ()
    """Sentences that another version says in another way."""
    deaf_to_answers: int = 0
    """How many answers to its question it misses."""


@dataclass
class Bootloader:
    """The board: bytes in, bytes out with their times, and the flash that it has written."""

    faults: Faults = field(default_factory=Faults)
    flash: dict[int, bytes] = field(default_factory=dict)
    """What was written at which address; a file that did not end is not there."""
    files: list[int] = field(default_factory=list)
    """Addresses in the order in which files ended."""
    state: str = "application"
    rebooted: bool = False
    window_s: float = 0.1
    """How long after a reset a key is waited for."""
    now: float = 0.0
    out: list[tuple[float, int]] = field(default_factory=list)
    junk: bytes = b""
    """What arrived between packets and was none."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.faults.seed)
        self.timer: float | None = None
        self.packets = 0
        self.address = 0
        self._begin_file()

    def press_reset(self) -> None:
        """Press the button."""
        if self.faults.silent_after == 0:
            return
        self._say(BANNER)
        self.state = "booting"
        self.address = 0
        self.timer = self.now + self.window_s

    def tick(self) -> None:
        """Do what is due by now."""
        if self.timer is None or self.now < self.timer:
            return
        self.timer = None
        if self.state == "booting":
            self.state = "application"
        elif self.state == "receiving" and self.count == 0 and not self.packet:
            self._send(b"C")
            self.timer = self.now + 1.0
        elif self.state == "receiving":
            self.packet.clear()
            self._send(bytes([NAK]))
            self.timer = self.now + 1.0

    def hear(self, byte: int) -> None:
        """Take one byte from the host."""
        if self.random.random() < self.faults.flipped:
            byte ^= 1 << self.random.randrange(8)
        if self.state == "booting":
            self._say(MENU)
            self.state, self.timer = "menu", None
        elif self.state == "menu" and byte == ord("1"):
            self._say(READY)
            self._receive()
        elif self.state == "asking":
            self._answer(byte)
        elif self.state == "receiving":
            self._collect(byte)

    def _answer(self, byte: int) -> None:
        if self.faults.deaf_to_answers:
            self.faults.deaf_to_answers -= 1
        elif byte == ord("y"):
            self.rebooted = True
            self.press_reset()
        elif byte == ord("n"):
            self._receive()

    def _receive(self) -> None:
        self.state = "receiving"
        self._begin_file()
        self.timer = self.now + 0.2

    def _begin_file(self) -> None:
        self.packet = bytearray()
        self.count = 0
        self.content = bytearray()
        self.eots = 0

    def _collect(self, byte: int) -> None:
        self.timer = self.now + 1.0
        if not self.packet and byte == EOT and self.count:
            self._end()
        elif self.packet or byte == SOH:
            self.packet.append(byte)
            if len(self.packet) == 133:
                packet = bytes(self.packet)
                self.packet.clear()
                self._judge(packet)
        elif byte == CAN:
            self.state, self.timer = "menu", None
            self._say(MENU)
        else:
            self.junk += bytes([byte])

    def _judge(self, packet: bytes) -> None:
        self.packets += 1
        faults = self.faults
        if faults.silent_after is not None and self.packets > faults.silent_after:
            self.state, self.timer = "dead", None
            return
        if self.packets in faults.false_acks:
            self._send(b"\x7e\x06")
            return
        if self.packets in faults.cancel_at:
            self._cancel()
            return
        if self.packets in faults.lost_at or self.random.random() < faults.lost_packet:
            return
        good = packet[1] ^ packet[2] == 0xFF and binascii.crc_hqx(packet[3:131], 0) == int.from_bytes(
            packet[131:]
        )
        if not good or self.random.random() < faults.nak:
            self._send(bytes([NAK]))
            return
        if packet[1] == (self.count + 1) % 256:
            self.count += 1
            self.content += packet[3:131]
        elif packet[1] != self.count % 256 or not self.count:
            self._cancel()
            return
        if self.packets in faults.early_naks:
            self._send(bytes([NAK]))
            self._put(ACK, 0.02)
        elif self.packets in faults.late_acks:
            self._put(ACK, 0.05)
        elif self.random.random() >= faults.lost_ack:
            self._send(bytes([ACK] * (2 if self.random.random() < faults.duplicate_ack else 1)))

    def _cancel(self) -> None:
        self._send(bytes([CAN, CAN]))
        self.timer = None
        self.state = "dead" if self.faults.hangs_after_cancel else "menu"
        if self.state == "menu":
            self._say(MENU)

    def _end(self) -> None:
        self.eots += 1
        if self.faults.nak_first_eot and self.eots == 1:
            self._send(bytes([NAK]))
            return
        content = bytes(self.content)
        if content[:2] == b"\xc0\x5a" and content[10:12] == b"\x5a\xc0" and len(content) == 128:
            assert content[12:] == b"\xff" * 116
            self.address = int.from_bytes(content[2:6], "little") + int.from_bytes(content[6:10], "little")
            if self.address in self.faults.rejected:
                self._say(b"address error\r\n")
                self._cancel()
                return
        else:
            self.flash[self.address] = content
            self.files.append(self.address)
        if not self.faults.lost_eot_ack:
            self._send(bytes([ACK]))
        self._say(QUESTION)
        self.state, self.timer = "asking", None

    def _say(self, text: bytes) -> None:
        said = bytearray(text)
        for i in range(len(said)):
            if self.random.random() < self.faults.garbled_text:
                said[i] = self.random.randrange(256)
        self._send(b"Version 9\r\n" if text in self.faults.other_words else bytes(said))

    def _send(self, data: bytes) -> None:
        for byte in data:
            if self.random.random() < self.faults.noise:
                self._put(self.random.randrange(256))
            self._put(byte)

    def _put(self, byte: int, delay_s: float = 0.0) -> None:
        ready = math.ceil((self.now + delay_s + BYTE_S) / USB_FRAME_S) * USB_FRAME_S
        # What is said later is not heard earlier.
        self.out.append((max(ready, self.out[-1][0] if self.out else 0.0), byte))


class Line:
    """A transport whose other end is a bootloader; its time passes only when somebody waits or sends."""

    name = "scripted bootloader"

    def __init__(self, bootloader: Bootloader) -> None:
        self.bootloader = bootloader

    def clock(self) -> float:
        """Seconds since the beginning."""
        return self.bootloader.now

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """See `Transport`."""
        board = self.bootloader
        for byte in data:
            board.now += BYTE_S
            board.tick()
            board.hear(byte)
        deadline = board.now + (0.0 if data else timeout_s)
        board.tick()
        while not self._due() and board.now < deadline:
            events = [board.out[0][0]] if board.out else []
            events += [] if board.timer is None else [board.timer]
            board.now = min(deadline, max(board.now, min(events, default=deadline)))
            board.tick()
        count = self._due()
        heard = bytes(byte for _, byte in board.out[:count])
        del board.out[:count]
        return len(data), heard

    def _due(self) -> int:
        return sum(1 for ready, _ in self.bootloader.out if ready <= self.bootloader.now + 1e-9)

    def close(self) -> None:
        """See `Transport`."""
