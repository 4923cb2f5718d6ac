"""A tree that behaves as an installed ESP-IDF does, at the level of files and processes."""

import shutil
import sys
from pathlib import Path

_FILES = Path(__file__).parent / "sdk" / "fake_esp_idf"


def make(path: Path, home: Path, version: str = "5.4.1", *, installed: bool = True) -> Path:
    """Lay the tree out at `path`, with the Python environment that its installer makes below `home`."""
    shutil.copytree(_FILES, path)
    (path / "tools" / "cmake").mkdir()
    names = zip(("MAJOR", "MINOR", "PATCH"), version.split("."), strict=True)
    lines = (f"set(IDF_VERSION_{name} {number})\n" for name, number in names)
    (path / "tools" / "cmake" / "version.cmake").write_text("".join(lines))
    if installed:
        short = ".".join(version.split(".")[:2])
        python = home / ".espressif" / "python_env" / f"idf{short}_py3.11_env" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.unlink(missing_ok=True)
        python.symlink_to(sys.executable)
        (path / "tools-installed").touch()
    return path
