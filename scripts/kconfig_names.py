"""Write or check the list of ESP-IDF's configuration names, by which tests hold our sdkconfig.defaults.

    python scripts/kconfig_names.py IDF_PATH           # writes tests/sdk/esp_idf/kconfig_names.txt anew
    python scripts/kconfig_names.py IDF_PATH --check   # are the names that we use in that ESP-IDF?

Only the parts of ESP-IDF that our projects configure are read; of what differs by chip, the ESP32-S3's.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = ROOT / "tests" / "sdk" / "esp_idf" / "kconfig_names.txt"
TEMPLATE = ROOT / "firmware_templates" / "esp32s3" / "sdkconfig.defaults.j2"
COMPONENTS = (
    *("bootloader", "esp_common", "esp_driver_usb_serial_jtag", "esp_hw_support", "esp_psram", "esp_stdio"),
    *("esp_system", "esp_timer", "esptool_py", "freertos", "log", "partition_table", "spi_flash"),
)
_CONFIG = re.compile(r"^\s*(?:menu)?config\s+([A-Z][A-Z0-9_]*)\s*(?:#.*)?$", re.MULTILINE)
_CHIP = re.compile(r"esp32[a-z0-9]*|linux")
_VERSION = re.compile(r"set\(IDF_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)\)")
# Sizes of flash chips stand in the template as an expression.
_USED = re.compile(r"CONFIG_([A-Z][A-Z0-9_]*)")
_SIZES = ("8MB", "16MB", "32MB")


def names(idf: Path) -> set[str]:
    """Return the names in the Kconfig files of an ESP-IDF tree, without `CONFIG_`."""
    files = [idf / "Kconfig"]
    for component in COMPONENTS:
        folder = idf / "components" / component
        for path in sorted(folder.rglob("Kconfig*")):
            chips = [part for part in path.relative_to(folder).parts if _CHIP.fullmatch(part)]
            if path.is_file() and all(chip == "esp32s3" for chip in chips):
                files.append(path)
    return {name for path in files for name in _CONFIG.findall(path.read_text("utf-8"))}


def used() -> set[str]:
    """Return the names in our template, without `CONFIG_`."""
    text = re.sub(r"(CONFIG_ESPTOOLPY_FLASHSIZE_)\{\{.*?\}\}MB", _all_sizes, TEMPLATE.read_text("utf-8"))
    return set(_USED.findall(text))


def _all_sizes(found: re.Match[str]) -> str:
    return " ".join(found[1] + size for size in _SIZES)


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    if not arguments or arguments[1:] not in ([], ["--check"]):
        sys.stderr.write(__doc__ or "")
        return 2
    idf = Path(arguments[0])
    version = ".".join(_VERSION.findall((idf / "tools" / "cmake" / "version.cmake").read_text("utf-8")))
    known = names(idf)
    if missing := used() - known:
        sys.stderr.write(f"ESP-IDF {version} does not know: {', '.join(sorted(missing))}\n")
        return 1
    if arguments[1:]:
        sys.stdout.write(f"ESP-IDF {version} knows all {len(used())} names\n")
        return 0
    head = f"# Configuration names of ESP-IDF {version}, by scripts/kconfig_names.py.\n"
    LIST.write_text(head + "".join(f"{name}\n" for name in sorted(known)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
