"""Where drives with a label are mounted: on Linux, macOS and Windows."""

import ctypes
import getpass
import os
import re
import string
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_ESCAPE = re.compile(r"\\([0-7]{3})")
_LABEL_CHARACTERS = 261


def labelled(labels: Sequence[str]) -> list[Path]:
    """Return the folders where drives with one of these labels are mounted; some may be left from before."""
    if sys.platform == "win32":
        return on_windows(labels, ctypes.windll.kernel32)
    if sys.platform == "darwin":
        return on_macos(labels, Path("/Volumes"))
    return on_linux(labels, Path("/"), _user())


def unmounted(labels: Sequence[str], root: Path = Path("/")) -> Path | None:
    """Return the device of a drive with such a label that Linux sees and nobody has mounted, or None."""
    if sys.platform != "linux":
        return None
    devices = _devices(labels, root)
    mounted = {device for device, _ in _mounts(root)}
    return next((Path(device) for device in devices if device not in mounted), None)


def attached(device: int, root: Path = Path("/")) -> bool:
    """Return whether the device behind a file is still there: Linux keeps showing files of one that is gone.

    Args:
        device: `st_dev` of the file.
        root: `/`.
    """
    blocks = root / "sys/dev/block"
    if sys.platform != "linux" or not os.major(device) or not blocks.is_dir():
        return True
    return (blocks / f"{os.major(device)}:{os.minor(device)}").exists()


def on_linux(labels: Sequence[str], root: Path, user: str) -> list[Path]:
    """Return mount points by the label of the device, then folders named so where desktops mount drives.

    Args:
        labels: what the drive may be called.
        root: `/`.
        user: whose folders are looked at.
    """
    devices = _devices(labels, root)
    found = [root / folder.lstrip("/") for device, folder in _mounts(root) if device in devices]
    for place in (f"run/media/{user}", f"media/{user}", "run/media", "media", "mnt"):
        found += _named(root / place, labels)
    return list(dict.fromkeys(found))


def on_macos(labels: Sequence[str], volumes: Path) -> list[Path]:
    """Return the folders in `/Volumes` named by a label; `LABEL 1` is a second drive of that name."""
    return _named(volumes, labels)


def on_windows(labels: Sequence[str], kernel32: Any) -> list[Path]:
    """Return the roots of the drives whose volume label is one of these, as Windows' own functions say.

    Args:
        labels: what the drive may be called.
        kernel32: has `GetLogicalDrives` and `GetVolumeInformationW`.
    """
    wanted = {label.upper() for label in labels}
    present = int(kernel32.GetLogicalDrives())
    found = []
    for number, letter in enumerate(string.ascii_uppercase):
        root = f"{letter}:\\"
        name = ctypes.create_unicode_buffer(_LABEL_CHARACTERS)
        # A drive without a medium is there and has no label: the call fails, which is no error.
        if present >> number & 1 and kernel32.GetVolumeInformationW(
            root, name, _LABEL_CHARACTERS, None, None, None, None, 0
        ):
            found += [Path(root)] if name.value.upper() in wanted else []
    return found


def _named(place: Path, labels: Sequence[str]) -> list[Path]:
    """Return the folders in `place` named by a label; a number behind it tells it from others."""
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, labels))})(?: ?[0-9]{{1,2}})?")
    try:
        return sorted(entry for entry in place.iterdir() if pattern.fullmatch(entry.name) and entry.is_dir())
    except OSError:
        return []


def _devices(labels: Sequence[str], root: Path) -> list[str]:
    """Return the devices that udev knows by these labels, as `/dev/sdb`."""
    found = []
    for label in labels:
        link = root / "dev/disk/by-label" / label
        if link.is_symlink():
            device = link.parent / link.readlink()
            found.append("/" + os.path.relpath(os.path.normpath(device), root))
    return found


def _mounts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (device, folder) of everything that is mounted."""
    try:
        lines = (root / "proc/mounts").read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        device, _, rest = line.partition(" ")
        folder = rest.partition(" ")[0]
        yield device, _ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), folder)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # nobody by that number
        return ""
