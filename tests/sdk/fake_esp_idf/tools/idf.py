"""Stands in for ESP-IDF's idf.py: does at the level of files what `idf.py build` does.

It reads the project as the real one does (settings, partitions, sources) and refuses what that would refuse;
in place of compiled code it writes the sources' bytes.
"""

import json
import os
import re
import struct
import sys
from pathlib import Path


def arguments() -> tuple[Path, Path, dict[str, str]]:
    """Return project, build folder and cache entries; end where the call is not the one that works."""
    words = sys.argv[1:]
    if words[0] != "-C" or words[2] != "-B" or words[-1] != "build":
        sys.exit(f"wrong call: {words}")
    entries = dict(word.removeprefix("-D").split("=", 1) for word in words[4:-1])
    return Path(words[1]), Path(words[3]), entries


def check_environment() -> None:
    """The variables that export.sh sets, and none of the caller's that would change the build."""
    root = Path(__file__).parents[1]
    if not os.environ["PATH"].startswith(f"{root / 'tools'}:") or "$" in os.environ["PATH"]:
        sys.exit("PATH was not exported")
    if not Path(os.environ["FAKE_TOOL"]).exists() or os.environ["IDF_PATH"] != str(root):
        sys.exit("the variables were not exported")
    if not Path(os.environ["IDF_PYTHON_ENV_PATH"]).is_dir():
        sys.exit("there is no Python environment")
    if {"PYTHONPATH", "IDF_TARGET", "SDKCONFIG_DEFAULTS"} & os.environ.keys():
        sys.exit("variables of the caller are still set")


def settings(project: Path, entries: dict[str, str]) -> str:
    """Defaults are read only where there is no sdkconfig yet."""
    path = Path(entries["SDKCONFIG"])
    if not path.exists():
        path.write_text((project / "sdkconfig.defaults").read_text("utf-8"), "utf-8")
    text = path.read_text("utf-8")
    if f'CONFIG_IDF_TARGET="{entries["IDF_TARGET"]}"' not in text:
        sys.exit("the target is not the project's")
    return text


def components(project: Path) -> str:
    """Return the makefile of the main component."""
    return (project / "main" / "CMakeLists.txt").read_text("utf-8")


def sources(project: Path) -> bytes:
    """Return all sources of the main component, one behind the other."""
    names = re.findall(r'"(\.\./[^"]+\.c[c]?)"', components(project))
    return b"".join((project / "main" / name).read_bytes() for name in names)


def elf(sections: dict[str, tuple[int, int]]) -> bytes:
    """Return a 32-bit ELF file with these sections (address, size), all without content."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    headers = [struct.pack("<10I", *([0] * 10))]
    for name, (address, size) in sections.items():
        at = names.index(name.encode() + b"\0")
        headers.append(struct.pack("<10I", at, 8, 2, address, 0, size, 0, 0, 4, 0))
    at = names.index(b".shstrtab\0")
    headers.append(struct.pack("<10I", at, 3, 0, 0, 52, len(names), 0, 0, 1, 0))
    head = b"\x7fELF\1\1\1".ljust(16, b"\0")
    head += struct.pack(
        "<2H5I6H", 2, 94, 1, 0, 0, 52 + len(names), 0, 52, 0, 0, 40, len(headers), len(headers) - 1
    )
    return head + names + b"".join(headers)


def main() -> None:
    """Build."""
    project, build, entries = arguments()
    check_environment()
    config = settings(project, entries)
    rows = [
        line.split(",")
        for line in (project / "partitions.csv").read_text("utf-8").splitlines()
        if line[0] != "#"
    ]
    app = next(row for row in rows if row[1] == "app")
    content = b"\xe9" + sources(project)
    print("[1/2] Building C object esp-idf/main/CMakeFiles/__idf_main.dir/main.c.obj")
    if (message := Path(__file__).with_name("failure")).exists():
        print(message.read_text("utf-8"))
        sys.exit(2)
    if len(content) > int(app[4], 16):
        print(f"Error: app partition is too small for binary edgekit.bin size {len(content):#x}:")
        sys.exit(2)
    (build / "bootloader").mkdir(exist_ok=True)
    (build / "partition_table").mkdir(exist_ok=True)
    (build / "bootloader" / "bootloader.bin").write_bytes(b"\xe9boot")
    (build / "partition_table" / "partition-table.bin").write_bytes(b"\xaa\x50table")
    (build / "edgekit.bin").write_bytes(content)
    used = {
        ".flash.text": (0x42000020, len(content)),
        ".dram0.bss": (0x3FC88000, 4096),
        ".dram0.dummy": (0x3FC89000, 9),
    }
    (build / "edgekit.elf").write_bytes(elf(used))
    size = re.findall(r"CONFIG_ESPTOOLPY_FLASHSIZE_(\w+)=y", config)[0]
    flashed = {
        "bootloader": ("0x0", "bootloader/bootloader.bin"),
        "app": (app[3], "edgekit.bin"),
        "partition-table": ("0x8000", "partition_table/partition-table.bin"),
    }
    model = next((row for row in rows if row[0] == "model"), None)
    if model is not None:
        if 'esptool_py_flash_to_partition(flash "model" "${build_dir}/model.bin")' not in components(project):
            sys.exit("nothing is flashed to the partition model")
        (build / "model.bin").write_bytes((project / "model" / "model.bin").read_bytes())
        flashed["model"] = (model[3], "model.bin")
    args = {
        "write_flash_args": ["--flash_mode", "dio", "--flash_size", size, "--flash_freq", "80m"],
        "flash_settings": {"flash_mode": "dio", "flash_size": size, "flash_freq": "80m"},
        "flash_files": dict(flashed.values()),
        "extra_esptool_args": {
            "after": "hard_reset",
            "before": "default_reset",
            "stub": True,
            "chip": "esp32s3",
        },
    }
    named = {name: {"offset": at, "file": file, "encrypted": "false"} for name, (at, file) in flashed.items()}
    (build / "flasher_args.json").write_text(json.dumps(args | named), "utf-8")


main()
