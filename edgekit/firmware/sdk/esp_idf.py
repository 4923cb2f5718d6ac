"""Builds with Espressif's ESP-IDF: finds it, checks its version, and runs its `idf.py build`.

`idf.py` needs the variables that ESP-IDF's export.sh sets. They are taken from where that script takes them:
`idf_tools.py export --format key-value`, run by the Python that ESP-IDF's installer has made, so that no
shell is involved and nothing of edgekit's own Python gets in.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit import process
from edgekit.board import Board
from edgekit.errors import DoesNotFitError, OutputError, ToolError
from edgekit.files import read_regular, write_whole
from edgekit.firmware import flasher_args, layout
from edgekit.firmware.image import RECORD, FirmwareImage, Part
from edgekit.firmware.manifest import NAME as MANIFEST
from edgekit.firmware.manifest import Manifest

OLDEST = (5, 1)
"""What the components that are fetched ask for (esp32-camera, esp-tflite-micro)."""
TOO_NEW = (7, 0)
"""The names in sdkconfig.defaults and the calls of the port were checked up to 6.2."""
SYSTEM = Path("/opt")
"""Where containers and administrators put it."""
BUILD = "build"
IMAGE = "firmware.bin"
_ELF = "edgekit.elf"
_TARGET = "esp32s3"
_EXPORT_S = 120
_BUILD_S = 3600
_VERSION = re.compile(r"^\s*set\(IDF_VERSION_(MAJOR|MINOR|PATCH)\s+(\d{1,4})\)", re.MULTILINE)
_EXPORTED = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
_LAST_LINES = 40
# What may stand in the environment and would change the build, or ESP-IDF's own Python.
_LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "IDF_TARGET", "SDKCONFIG_DEFAULTS")
HOW_TO_GET = (
    "get it once:\n"
    "  git clone -b v5.5 --depth 1 --recursive --shallow-submodules "
    "https://github.com/espressif/esp-idf ~/esp/esp-idf\n"
    "  ~/esp/esp-idf/install.sh esp32s3\n"
    "then run this command again; `--sdk PATH` or IDF_PATH names another place"
)


@dataclass(frozen=True, slots=True)
class EspIdf:
    """An ESP-IDF that was found."""

    path: Path
    version: tuple[int, int, int]
    source: str
    """What led to it: `--sdk or EDGEKIT_SDK`, `IDF_PATH` or `the usual places`."""

    @property
    def text(self) -> str:
        """The version as Espressif writes it."""
        return "v" + ".".join(map(str, self.version))


def find(sdk: Path | None) -> EspIdf:
    """Return the ESP-IDF to build with.

    Where `sdk` or IDF_PATH names one, that one is taken or refused; else the newest that can be used of
    ~/esp, ~/.espressif and /opt.

    Raises:
        ToolError: there is none, or one of a version outside the tested range.
    """
    for named, source in ((sdk, "--sdk or EDGEKIT_SDK"), (os.environ.get("IDF_PATH"), "IDF_PATH")):
        if named:
            path = Path(named).absolute()
            version = _version(path)
            if version is None:
                raise ToolError(f"'{path}', which {source} names, is no ESP-IDF", HOW_TO_GET)
            if not OLDEST <= version[:2] < TOO_NEW:
                raise ToolError(f"'{path}', which {source} names, is {_not_tested(version)}", HOW_TO_GET)
            return EspIdf(path, version, source)
    found = [(version, path) for path in _usual_places() if (version := _version(path)) is not None]
    good = [(version, path) for version, path in found if OLDEST <= version[:2] < TOO_NEW]
    if good:
        version, path = max(good)
        return EspIdf(path, version, "the usual places")
    others = "".join(f"; '{path}' is {_not_tested(version)}" for version, path in found)
    raise ToolError(f"no ESP-IDF was found, which builds the firmware of this board{others}", HOW_TO_GET)


def describe() -> str:
    """See `edgekit.firmware.sdk`."""
    idf = find(None)
    return f"ESP-IDF {idf.text} ({idf.path})"


def build(project_dir: Path, found: Manifest, board: Board, sdk: Path | None) -> FirmwareImage:
    """See `edgekit.firmware.sdk.build`. What is built lies in `build/`, ESP-IDF's sdkconfig with it."""
    idf = find(sdk)
    project_dir = project_dir.absolute()
    folder = project_dir / BUILD
    project_digest = hashlib.sha256(_read(project_dir / MANIFEST)).hexdigest()
    try:
        # An image that no longer fits its sources must not pass for theirs if this build fails.
        (project_dir / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write in '{project_dir}': {error.strerror}") from error
    _forget_old_settings(project_dir, folder)
    _run(idf, project_dir, folder, board)
    args = flasher_args.read(folder)
    parts = flasher_args.parts(args, folder)
    app = next((part for part in parts if part.name == "app"), None)
    if app is None:
        raise ToolError(f"'{folder / flasher_args.NAME}' names no application", "delete the folder build/")
    content = _read(app.path)
    write_whole(project_dir / IMAGE, content, durable=False)
    sections = _sections(folder)
    _check_windows(sections, board)
    path = project_dir / IMAGE
    return FirmwareImage.record(
        *(path, content, found, project_digest, f"ESP-IDF {idf.text}", sections),
        parts=tuple(Part.of(part.name, part.offset, path) if part is app else part for part in parts),
        flash_settings=args.settings,
    )


def _usual_places() -> list[Path]:
    """Return the folders that may be an ESP-IDF: Espressif's guides, its installers, containers."""
    home = _home()
    patterns = (
        (home / "esp", "esp-idf*"),
        (home / "esp", "*/esp-idf"),
        (home / ".espressif", "esp-idf*"),
        (home / ".espressif", "frameworks/esp-idf*"),
        (home / ".espressif", "*/esp-idf"),
        (SYSTEM, "esp-idf*"),
        (SYSTEM, "esp/idf"),
    )
    return sorted({path for base, pattern in patterns for path in base.glob(pattern) if path.is_dir()})


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ToolError(
            "this user has no home folder to look for ESP-IDF in", "name it with --sdk"
        ) from error


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return the version of the ESP-IDF in a folder, as its own build reads it; None if it is none."""
    try:
        text = read_regular(path / "tools" / "cmake" / "version.cmake").decode("utf-8")
    except (OSError, ValueError):
        return None
    numbers = {name: int(number) for name, number in _VERSION.findall(text)}
    if not (path / "tools" / "idf.py").is_file() or numbers.keys() != {"MAJOR", "MINOR", "PATCH"}:
        return None
    return numbers["MAJOR"], numbers["MINOR"], numbers["PATCH"]


def _not_tested(version: tuple[int, int, int]) -> str:
    oldest, newest = (".".join(map(str, limit)) for limit in (OLDEST, TOO_NEW))
    return f"ESP-IDF {'.'.join(map(str, version))}; edgekit knows versions from {oldest} on, before {newest}"


def _environment(idf: EspIdf) -> tuple[str, Mapping[str, str]]:
    """Return ESP-IDF's Python, and the variables in which its idf.py runs."""
    ours = {key: value for key, value in os.environ.items() if key not in _LEFT_OUT}
    ours["IDF_PATH"] = str(idf.path)
    python = _python(idf)
    said = process.run(
        [python, str(idf.path / "tools" / "idf_tools.py"), "export", "--format", "key-value"],
        cwd=idf.path,
        env=ours,
        timeout_s=_EXPORT_S,
        hint=f"run `{idf.path / 'install.sh'} {_TARGET}` to complete the installation",
    )
    exported = dict(_EXPORTED.findall(said))
    path = ours.get("PATH", "")
    exported = {key: value.replace("$PATH", path).replace("%PATH%", path) for key, value in exported.items()}
    # The Python stays the one that was asked: for another one ESP-IDF would name no environment.
    return python, ours | exported | {"IDF_PYTHON_ENV_PATH": str(Path(python).parent.parent)}


def _python(idf: EspIdf) -> str:
    """Return the Python of ESP-IDF's own environment, which install.sh makes."""
    places = []
    if named := os.environ.get("IDF_PYTHON_ENV_PATH"):
        places.append(Path(named))
    tools = Path(os.environ.get("IDF_TOOLS_PATH") or _home() / ".espressif")
    major, minor, _ = idf.version
    places += sorted((tools / "python_env").glob(f"idf{major}.{minor}_py*_env"), reverse=True)
    for place in places:
        for program in (place / "bin" / "python", place / "Scripts" / "python.exe"):
            if program.is_file():
                return str(program)
    raise ToolError(
        f"ESP-IDF {idf.text} in '{idf.path}' is not installed: its Python environment is missing under "
        f"'{tools}'",
        f"run `{idf.path / 'install.sh'} {_TARGET}`",
    )


def _forget_old_settings(project_dir: Path, folder: Path) -> None:
    """Remove ESP-IDF's sdkconfig where its defaults have changed: they are only read where there is none."""
    digest = hashlib.sha256(_read(project_dir / "sdkconfig.defaults")).hexdigest().encode()
    key = folder / "sdkconfig.key"
    try:
        if key.is_file() and read_regular(key) == digest:
            return
        (folder / "sdkconfig").unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write in '{folder}': {error.strerror}") from error
    write_whole(key, digest, durable=False)


def _run(idf: EspIdf, project_dir: Path, folder: Path, board: Board) -> None:
    python, environment = _environment(idf)
    command = [
        *(python, str(idf.path / "tools" / "idf.py")),
        *("-C", str(project_dir), "-B", str(folder)),
        f"-DIDF_TARGET={_TARGET}",
        f"-DSDKCONFIG={folder / 'sdkconfig'}",
        "build",
    ]
    try:
        process.run(
            command,
            cwd=project_dir,
            env=environment,
            timeout_s=_BUILD_S,
            last_lines=_LAST_LINES,
            hint=f"all that it says is in '{folder / 'log'}'; "
            f"or run `. {idf.path}/export.sh` and `idf.py build`",
        )
    except ToolError as error:
        layout.check_overflow(error, board)
        raise


def _sections(folder: Path) -> tuple[layout.Section, ...]:
    """Return what takes memory. ESP-IDF's linker script has sections that only move the next one along."""
    found = layout.read_sections(_read(folder / _ELF), str(folder / _ELF))
    return tuple(section for section in found if section.bytes and "dummy" not in section.name)


def _check_windows(sections: tuple[layout.Section, ...], board: Board) -> None:
    """Hold the linker's numbers against the board's regions. Raises DoesNotFitError."""
    for part in layout.usage(sections, board):
        if part.used > part.available:
            raise DoesNotFitError(
                f"the linked firmware takes {part.used:,} bytes of the region '{part.region}' on "
                f"'{board.id}', which has {part.available:,}",
                "use a smaller input, fewer channels, or a board with more memory",
            )


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise ToolError(
            f"cannot read '{path}': {error.strerror}", "delete the folder build/ and try again"
        ) from error
