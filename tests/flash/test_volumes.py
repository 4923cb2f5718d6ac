"""Finding drives by their label, on three systems."""

import ctypes
import os
from pathlib import Path

from edgekit.flash import _volumes

LABELS = ("GROVEAI", "GROVE")


def linux(root: Path, mounts: str, label: str | None = None, device: str = "sdb") -> None:
    """Make what Linux shows of its drives under a folder."""
    (root / "proc").mkdir(parents=True)
    (root / "proc/mounts").write_text(mounts)
    (root / "dev/disk/by-label").mkdir(parents=True)
    (root / "dev" / device).write_text("")
    if label is not None:
        (root / "dev/disk/by-label" / label).symlink_to(f"../../{device}")


def test_linux_by_the_label_of_the_device(tmp_path: Path) -> None:
    linux(tmp_path, "/dev/sda1 / ext4 rw 0 0\n/dev/sdb /home/ann/my\\040drive vfat rw 0 0\n", "GROVEAI")
    assert _volumes.on_linux(LABELS, tmp_path, "ann") == [tmp_path / "home/ann/my drive"]
    assert _volumes.unmounted(LABELS, tmp_path) is None


def test_linux_by_the_name_of_the_folder(tmp_path: Path) -> None:
    linux(tmp_path, "")
    places = ("run/media/ann/GROVEAI", "media/ann/GROVEAI1", "media/GROVE", "mnt/GROVEAI 2")
    for name in (*places, "media/ann/OTHER", "media/ann/GROVEAIX", "media/bob/GROVEAI"):
        (tmp_path / name).mkdir(parents=True)
    assert _volumes.on_linux(LABELS, tmp_path, "ann") == [tmp_path / place for place in places]


def test_linux_names_a_drive_that_is_not_mounted(tmp_path: Path) -> None:
    linux(tmp_path, "/dev/sda1 / ext4 rw 0 0\n", "GROVE", "sdc")
    assert _volumes.on_linux(LABELS, tmp_path, "ann") == []
    assert _volumes.unmounted(LABELS, tmp_path) == Path("/dev/sdc")


def test_linux_without_anything(tmp_path: Path) -> None:
    assert _volumes.on_linux(LABELS, tmp_path, "") == []
    assert _volumes.unmounted(LABELS, tmp_path) is None


def test_linux_knows_whether_a_device_is_gone(tmp_path: Path) -> None:
    assert _volumes.attached(os.makedev(8, 16), tmp_path), "nothing is known"
    (tmp_path / "sys/dev/block/8:16").mkdir(parents=True)
    assert _volumes.attached(os.makedev(8, 16), tmp_path)
    assert not _volumes.attached(os.makedev(8, 32), tmp_path)
    assert _volumes.attached(os.makedev(0, 50), tmp_path), "no device, such as a network's"
    assert _volumes.attached(tmp_path.stat().st_dev)


def test_macos(tmp_path: Path) -> None:
    for name in ("GROVEAI", "GROVEAI 1", "Macintosh HD"):
        (tmp_path / name).mkdir()
    (tmp_path / "GROVE").write_text("a file is no drive")
    assert _volumes.on_macos(LABELS, tmp_path) == [tmp_path / "GROVEAI", tmp_path / "GROVEAI 1"]


class Kernel32:
    """Windows' functions as documented: C: is called Windows, D: is empty, G: is the board."""

    def GetLogicalDrives(self) -> int:
        return 1 << 2 | 1 << 3 | 1 << 6

    def GetVolumeInformationW(
        self,
        root: str,
        name: "ctypes.Array[ctypes.c_wchar]",
        size: int,
        *rest: int | None,
    ) -> int:
        assert size == len(name) == 261
        assert root in ("C:\\", "D:\\", "G:\\")
        assert rest == (None, None, None, None, 0)
        label = {"C:\\": "Windows", "G:\\": "groveai"}.get(root)
        if label is None:
            return 0
        name.value = label
        return 1


def test_windows() -> None:
    assert _volumes.on_windows(LABELS, Kernel32()) == [Path("G:\\")]
    assert _volumes.on_windows(("SENSECAP",), Kernel32()) == []


def test_this_computer_can_be_asked() -> None:
    assert _volumes.labelled(("NO-SUCH-ONE",)) == []
    assert _volumes.unmounted(("NO-SUCH-ONE",)) is None
