"""Targets that take what boot loaders say, and the tools that talk to them."""

from flash import we2_bootloader

from edgekit.flash import _esptool_log, xmodem
from edgekit.flash._we2_session import Patience
from fuzz.lines import Clock, Peer
from fuzz.target import Target, board_of


class PacedPeer(Peer):
    """The same with pauses: pieces of up to 63 bytes, in front of each its size and, in two bits, a pause."""

    _pause = 0.0

    def exchange(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        if not self._pause and self._data:
            self._pause = _PAUSES[self._data[0] >> 6]
        waited = min(self._pause, timeout_s) if self._data else timeout_s
        self._clock.now += max(waited, 1e-4)
        self._pause -= waited
        if not self._data or self._pause > 0:
            return len(data), b""
        end = 1 + (self._data[0] & 63)
        said, self._data = self._data[1:end], self._data[end:]
        self._pause = 0.0
        return len(data), said


_PAUSES = (0.0, 0.02, 0.3, 1.2)


def paced(*said: tuple[float, bytes]) -> bytes:
    """Return what a `PacedPeer` says so: pauses, and what comes after each."""
    out = b""
    for pause, text in said:
        for at in range(0, len(text), 63):
            piece = text[at : at + 63]
            out += bytes([len(piece) | (_PAUSES.index(pause) << 6 if at == 0 else 0)]) + piece
    return out


def bootloader(data: bytes) -> None:
    """What the boot loader of the Grove Vision AI V2 says while two files are sent to it by XMODEM."""
    target = board_of("grove_vision_ai_v2")
    patience = Patience(
        enter_s=1.0, listen_s=0.2, press_on_s=0.1, invite_s=3.0, reply_s=1.0, question_s=3.0, leave_s=0.5
    )
    files = [xmodem.File("the firmware", 0, b"f" * 300), xmodem.File("the model", 0x200000, b"m" * 130)]
    clock = Clock()
    notes: list[str] = []
    done: list[int] = []
    xmodem.send_files(
        PacedPeer(data, clock),
        files,
        xmodem._read(target),
        target,
        lambda count, _whole: done.append(count),
        notes.append,
        patience,
        clock.monotonic,
    )
    assert done[-1] == 430


def _bootloader_seeds() -> list[bytes]:
    begin = [(0.02, we2_bootloader.BANNER + we2_bootloader.MENU), (0.3, we2_bootloader.READY), (0.3, b"C")]

    def file(packets: int) -> list[tuple[float, bytes]]:
        return [*[(0.3, b"\x06")] * (packets + 1), (0.3, we2_bootloader.QUESTION)]

    again = [(1.2, we2_bootloader.READY), (0.3, b"C")]
    sound = [*begin, *file(3), *again, *file(1), *again, *file(2), (0.3, we2_bootloader.BANNER)]
    cancelled = [*begin, (0.3, b"\x06"), (0.3, b"\x18\x18")]
    return [
        paced(*sound),
        paced(*cancelled, *cancelled, *cancelled),
        paced(*begin, (0.3, b"\x15"), (0.3, b"x\x06"), (1.2, b"\x06"), (0.3, b"\x06\x06")),
        paced((0.3, we2_bootloader.QUESTION), (1.2, b"C"), (1.2, b"C"), *file(3)),
    ]


def esptool(data: bytes) -> None:
    """What esptool says while it writes two files."""
    shown: list[int] = []
    regions = [_esptool_log.Region("a", 0x1000, 5000), _esptool_log.Region("b", 0x10000, 70000)]
    log = _esptool_log.Log(regions, lambda done, _: shown.append(done), "it does not start")
    for line in data.decode("utf-8", "replace").splitlines():
        log.feed(line)
    assert log.state()
    assert str(log.failure(board_of("xiao_esp32s3"), "/dev/x", 1, "hold BOOT"))
    assert shown == sorted(shown) or 0 in shown, "progress goes back"


def _esptool_seeds() -> list[bytes]:
    wrote = (
        b"Connected to ESP32-S3 on /dev/x:\nFlash will be erased from 0x00001000 to 0x00002fff...\n"
        b"Writing at 0x00001000 [====>     ]  42.5% 2048/5000 bytes...\n"
        b"Wrote 5000 bytes (300 compressed) at 0x00001000 in 0.1 seconds (400 kbit/s).\n"
        b"Hash of data verified.\n"
    )
    return [
        wrote + wrote.replace(b"0x00001000", b"0x00010000"),
        b"A fatal error occurred: This chip is ESP32, not ESP32-S3. Wrong chip argument?\n",
        b"A fatal error occurred: Failed to connect to ESP32-S3: No serial data received.\n",
        wrote + b"A fatal error occurred: Failed to write to target Flash (result was 01C1: x)\n",
        b"A fatal error occurred: File x (length 9) at offset 1 will not fit in 4194304 bytes of flash.\n",
        wrote + b"A serial exception error occurred: device disconnected\nNote: This error\n",
        wrote + b"A fatal error occurred: MD5 of file does not match data in flash!\n",
    ]


TARGETS = (
    Target("bootloader", "the WiseEye2 boot loader's side of XMODEM", bootloader, _bootloader_seeds),
    Target("esptool", "what esptool prints", esptool, _esptool_seeds),
)
