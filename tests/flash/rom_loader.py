"""A scripted ESP32-S3 in download mode, on a pseudo-terminal.

Written from Espressif's description of the serial protocol (esptool documentation, "Serial Protocol"): the
ROM loader and, once one was uploaded and started, the stub loader. It shares no code with esptool. Flash
behaves as NOR flash does: erasing sets whole sectors to ones, and writing can only clear bits.

Faults are scripted in `Script`. What happened is kept in `RomLoader`: flash, the order of commands, the stub.
"""

import hashlib
import os
import select
import socket
import struct
import threading
import tty
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD

FLASH_BEGIN, FLASH_DATA, FLASH_END = 0x02, 0x03, 0x04
MEM_BEGIN, MEM_END, MEM_DATA = 0x05, 0x06, 0x07
SYNC, WRITE_REG, READ_REG = 0x08, 0x09, 0x0A
SPI_SET_PARAMS, SPI_ATTACH, CHANGE_BAUDRATE = 0x0B, 0x0D, 0x0F
DEFL_BEGIN, DEFL_DATA, DEFL_END = 0x10, 0x11, 0x12
SPI_FLASH_MD5, GET_SECURITY_INFO = 0x13, 0x14

ROM_BAD_MESSAGE, ROM_BAD_CHECKSUM = 0x05, 0x07
STUB_BAD_LENGTH, STUB_BAD_CHECKSUM, STUB_UNKNOWN = 0xC0, 0xC1, 0xFF

ESP32_S3, ESP32_C3 = 9, 5
SECTOR = 4096

# Registers by which the host drives the flash chip by hand.
_SPI = 0x60002000
_SPI_COMMAND, _SPI_USER2, _SPI_BUFFER = _SPI, _SPI + 0x20, _SPI + 0x58
_SPI_GO = 1 << 18
_BOOT_OPTION, _WATCHDOG, _WATCHDOG_LOCK = 0x6000812C, 0x60008098, 0x600080B0
_READ_ID, _READ_SFDP = 0x9F, 0x5A
_SIZE_CODES = {1 << code: code for code in range(18, 28)}


class _UnpluggedError(Exception):
    """The script says that the cable is pulled now."""


class _RestartedError(Exception):
    """The chip restarts and runs what is in its flash."""


@dataclass(slots=True)
class Script:
    """What the board is and what goes wrong with it."""

    chip_id: int = ESP32_S3
    flash_bytes: int = 8 << 20
    silent: bool = False
    """It never answers, as a board that runs its application does."""
    silent_from_block: int | None = None
    """It falls silent at this block of flash data, counted from 0 over all files."""
    corrupt_blocks: frozenset[int] = frozenset()
    """A bit flips in these blocks of flash data, counted as they arrive, repeats included."""
    shorten_blocks: frozenset[int] = frozenset()
    """A byte is lost from these."""
    unplug_at_block: int | None = None
    """The port is gone at this one."""
    unplug_after_files: int | None = None
    """The port is gone as soon as so many files were written and verified."""
    waits_after_reset: bool = False
    """Reset leaves it in its boot loader, as one that was put there by its button; the watchdog does not."""
    away_s: float = 0.0
    """How long the port is gone while it restarts."""
    application: Callable[[], socket.socket] | None = None
    """What runs after a restart: returns the other end of its serial line. None: nothing that answers."""
    rotten_sector: int | None = None
    """A sector of flash that does not keep one bit."""


@dataclass(slots=True)
class _Download:
    """One file that is being written."""

    offset: int
    size: int
    inflate: "zlib._Decompress | None"
    next_block: int = 0


@dataclass(slots=True)
class _Segment:
    """One piece of code that is being loaded to RAM."""

    address: int
    size: int
    content: bytearray = field(default_factory=bytearray)


class RomLoader:
    """The board. `port` is its path; a context manager that ends its thread."""

    def __init__(self, script: Script | None = None, link: Path | None = None) -> None:
        self.script = script or Script()
        self.flash = bytearray(b"\xff" * self.script.flash_bytes)
        self.commands: list[int] = []
        self.segments: list[tuple[int, bytes]] = []
        self.stub_started = False
        self.blocks = 0
        self.verified = 0
        self.restarts: list[str] = []
        self.parameters: bytes = b""
        self.failure: BaseException | None = None
        self._registers: dict[int, int] = {}
        self._download: _Download | None = None
        self._segment: _Segment | None = None
        self._stop, self._wake = os.pipe()
        self._link = link
        self._plug_in()
        self._thread = threading.Thread(target=self._run, name="rom loader")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._wake)
        self._thread.join()
        self._unplug()
        os.close(self._stop)
        if self.failure is not None:
            raise AssertionError("the scripted board was asked for what it does not know") from self.failure

    def _plug_in(self) -> None:
        self._master, self._slave = os.openpty()
        self._open = [self._master, self._slave]
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        if self._link is not None:
            self._link.symlink_to(self.port)
            self.port = str(self._link)

    def _unplug(self) -> None:
        # Each once only: a number that is closed may be another thread's by now.
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            self._serve_loader()
        except _UnpluggedError:
            self._unplug()
        except _RestartedError:
            try:
                self._serve_application()
            except BaseException as error:
                self.failure = error
        except BaseException as error:
            self.failure = error
            self._unplug()

    def _serve_loader(self) -> None:
        frame: bytearray | None = None
        while self._may_read(self._master):
            for byte in os.read(self._master, 65536):
                if byte != END:
                    if frame is not None:
                        frame.append(byte)
                elif frame:
                    self._packet(_unescaped(bytes(frame)))
                    frame = None
                else:
                    frame = bytearray()

    def _may_read(self, *descriptors: int) -> list[int]:
        """Wait until one can be read; none when the test is over."""
        ready, _, _ = select.select([*descriptors, self._stop], [], [])
        return [] if self._stop in ready else ready

    def _serve_application(self) -> None:
        """Come back as a serial port behind which the application runs, once the host has let go."""
        os.close(self._slave)
        self._open.remove(self._slave)
        poll = select.poll()
        poll.register(self._master, 0)
        poll.register(self._stop, select.POLLIN)
        if any(descriptor == self._stop for descriptor, _ in poll.poll()):
            return
        self._unplug()
        if self.script.application is None or select.select([self._stop], [], [], self.script.away_s)[0]:
            return
        line = self.script.application()
        line.setblocking(True)
        self._plug_in()
        while ready := self._may_read(self._master, line.fileno()):
            if self._master in ready:
                line.sendall(os.read(self._master, 65536))
            elif content := line.recv(65536):
                while content:
                    content = content[os.write(self._master, content) :]
            else:
                return

    def _packet(self, packet: bytes) -> None:
        if self.script.silent or len(packet) < 8:
            return
        direction, command, size, checksum = struct.unpack_from("<BBHI", packet)
        data = packet[8:]
        if direction != 0:
            return
        if self.verified == self.script.unplug_after_files:
            raise _UnpluggedError  # now that the host has read the last answer
        self.commands.append(command)
        if command in (FLASH_DATA, DEFL_DATA):
            number = self.blocks
            self.blocks += 1
            if number == self.script.unplug_at_block:
                raise _UnpluggedError
            if self.script.silent_from_block is not None and number >= self.script.silent_from_block:
                return
            if number in self.script.corrupt_blocks:
                data = data[:-1] + bytes([data[-1] ^ 0x10])
            if number in self.script.shorten_blocks:
                data = data[:-1]
        if len(data) != size:
            self._answer(command, error=STUB_BAD_LENGTH if self.stub_started else ROM_BAD_MESSAGE)
            return
        if command in (FLASH_DATA, DEFL_DATA, MEM_DATA) and checksum != _checksum(data[16:]):
            self._answer(command, error=STUB_BAD_CHECKSUM if self.stub_started else ROM_BAD_CHECKSUM)
            return
        handler = _HANDLERS.get(command)
        if handler is None:
            self._answer(command, error=STUB_UNKNOWN if self.stub_started else ROM_BAD_MESSAGE)
            return
        handler(self, command, data)

    def _answer(self, command: int, *, value: int = 0, data: bytes = b"", error: int = 0) -> None:
        status = bytes([1 if error else 0, error]) + (b"" if self.stub_started else b"\0\0")
        self._send(struct.pack("<BBHI", 1, command, len(data) + len(status), value) + data + status)

    def _send(self, packet: bytes) -> None:
        escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._master, bytes([END]) + escaped + bytes([END]))

    def _sync(self, command: int, data: bytes) -> None:
        assert data == b"\x07\x07\x12\x20" + b"\x55" * 32, data
        for _ in range(8):
            self._answer(command, value=0 if self.stub_started else 0x20120707)

    def _security_info(self, command: int, data: bytes) -> None:
        assert data == b"", data
        self._answer(command, data=struct.pack("<I8BII", 0, *(0,) * 8, self.script.chip_id, 0))

    def _read_register(self, command: int, data: bytes) -> None:
        (address,) = struct.unpack("<I", data)
        self._answer(command, value=self._registers.get(address, 0))

    def _write_register(self, command: int, data: bytes) -> None:
        restart = ""
        for at in range(0, len(data), 16):
            address, value, mask, _ = struct.unpack_from("<IIII", data, at)
            if address == _BOOT_OPTION and not value & 1:
                restart = (
                    "reset"  # the host clears the bit right before it pulls reset, which a pty cannot see
                )
            if address == _WATCHDOG_LOCK and not value and self._registers.get(_WATCHDOG, 0) >> 31:
                restart = "watchdog"  # it was set to bite in some milliseconds, and is locked again
            before = self._registers.get(address, 0)
            self._registers[address] = (before & ~mask) | (value & mask)
            if address == _SPI_COMMAND and value & _SPI_GO:
                self._run_flash_command()
        self._answer(command)
        if restart:
            self.restarts.append(restart)
            self.stub_started = False
            if restart == "watchdog" or not self.script.waits_after_reset:
                raise _RestartedError

    def _run_flash_command(self) -> None:
        code = self._registers.get(_SPI_USER2, 0) & 0xFF
        size_code = _SIZE_CODES[self.script.flash_bytes]
        replies = {_READ_ID: 0xEF | 0x40 << 8 | size_code << 16, _READ_SFDP: 0x50444653}
        self._registers[_SPI_BUFFER] = replies.get(code, 0)
        self._registers[_SPI_COMMAND] = 0

    def _memory_begin(self, command: int, data: bytes) -> None:
        size, _, _, address = struct.unpack("<IIII", data)
        self._segment = _Segment(address, size)
        self._answer(command)

    def _memory_data(self, command: int, data: bytes) -> None:
        assert self._segment is not None
        self._segment.content += data[16:]
        if len(self._segment.content) >= self._segment.size:
            assert len(self._segment.content) == self._segment.size
            self.segments.append((self._segment.address, bytes(self._segment.content)))
        self._answer(command)

    def _memory_end(self, command: int, data: bytes) -> None:
        stay, entry = struct.unpack("<II", data)
        assert not stay
        assert any(address <= entry < address + len(content) for address, content in self.segments)
        self._answer(command)
        self.stub_started = True
        self._send(b"OHAI")

    def _set_parameters(self, command: int, data: bytes) -> None:
        identity, size, block, sector, page, _ = struct.unpack("<IIIIII", data)
        assert (identity, block, sector, page) == (0, 65536, SECTOR, 256)
        self.parameters = data
        assert size <= self.script.flash_bytes or self.stub_started
        self._answer(command)

    def _accept(self, command: int, data: bytes) -> None:
        assert len(data) in (4, 8)
        self._answer(command)

    def _begin(self, command: int, data: bytes) -> None:
        # The fifth word, whether to encrypt, is the chip's own loader's; esptool's can do without.
        size, blocks, block_bytes, offset = struct.unpack_from("<IIII", data)
        assert data[16:] == bytes(4) or (self.stub_started and len(data) == 16)
        assert block_bytes == (0x4000 if self.stub_started else 0x400)
        assert offset % SECTOR == 0
        if size:
            assert offset + size <= len(self.flash)
            end = -(-(offset + size) // SECTOR) * SECTOR
            self.flash[offset:end] = b"\xff" * (end - offset)
            assert blocks
        self._download = _Download(offset, size, zlib.decompressobj() if command == DEFL_BEGIN else None)
        self._answer(command)

    def _data(self, command: int, data: bytes) -> None:
        size, number, zero, nought = struct.unpack_from("<IIII", data)
        content = data[16:]
        download = self._download
        assert download is not None
        assert (len(content), number, zero, nought) == (size, download.next_block, 0, 0)
        download.next_block += 1
        assert (command == DEFL_DATA) == (download.inflate is not None)
        if download.inflate is not None:
            content = download.inflate.decompress(content)
        else:
            content = content[: download.size]  # the last block is filled up with ones
        assert len(content) <= download.size
        for at, byte in enumerate(content, download.offset):
            self.flash[at] &= byte
        download.offset += len(content)
        download.size -= len(content)
        if self.script.rotten_sector is not None:
            self.flash[self.script.rotten_sector] |= 0x04
            self.flash[self.script.rotten_sector + 1] &= ~0x04
        self._answer(command)

    def _end(self, command: int, data: bytes) -> None:
        assert len(data) == 4
        self._answer(command)

    def _md5(self, command: int, data: bytes) -> None:
        offset, size, _, _ = struct.unpack("<IIII", data)
        digest = hashlib.md5(self.flash[offset : offset + size])
        self.verified += 1
        self._answer(command, data=digest.digest() if self.stub_started else digest.hexdigest().encode())


_HANDLERS: dict[int, Callable[[RomLoader, int, bytes], None]] = {
    SYNC: RomLoader._sync,
    GET_SECURITY_INFO: RomLoader._security_info,
    READ_REG: RomLoader._read_register,
    WRITE_REG: RomLoader._write_register,
    MEM_BEGIN: RomLoader._memory_begin,
    MEM_DATA: RomLoader._memory_data,
    MEM_END: RomLoader._memory_end,
    SPI_ATTACH: RomLoader._accept,
    SPI_SET_PARAMS: RomLoader._set_parameters,
    CHANGE_BAUDRATE: RomLoader._accept,
    FLASH_BEGIN: RomLoader._begin,
    DEFL_BEGIN: RomLoader._begin,
    FLASH_DATA: RomLoader._data,
    DEFL_DATA: RomLoader._data,
    FLASH_END: RomLoader._end,
    DEFL_END: RomLoader._end,
    SPI_FLASH_MD5: RomLoader._md5,
}


def _unescaped(frame: bytes) -> bytes:
    content = bytearray()
    rest = iter(frame)
    for byte in rest:
        if byte == ESCAPE:
            byte = {ESCAPED_END: END, ESCAPED_ESCAPE: ESCAPE}[next(rest)]
        content.append(byte)
    return bytes(content)


def _checksum(content: bytes) -> int:
    value = 0xEF
    for byte in content:
        value ^= byte
    return value
