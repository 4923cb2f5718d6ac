"""A vendor's SDK as links, with our application in it: what Himax's two modules share.

These SDKs build applications that lie inside them, and write objects, libraries and images beside their own
files. In a tree of links inside the project's folder they do all that, and the user's SDK stays as it is.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edgekit import process
from edgekit.board import Board
from edgekit.errors import OutputError, ToolError
from edgekit.files import read_regular, write_whole
from edgekit.firmware import layout, manifest
from edgekit.firmware.image import RECORD, FirmwareImage
from edgekit.firmware.manifest import Manifest

IMAGE = "output.img"
_TREE = "obj/sdk"
_ORIGIN = ".edgekit-origin"
_VERSION_S = 60
_MAKE_S = 3600
_IMAGE_S = 600


def check(sdk: Path | None, name: str, url: str, markers: Sequence[str]) -> Path:
    """Return the SDK's folder, absolute. Raises ToolError unless all `markers` are there."""
    hint = f"get it with `git clone --recursive {url}` and name its folder with --sdk"
    if sdk is None:
        raise ToolError(f"{name} builds the firmware of this board, and no --sdk was given", hint)
    for marker in markers:
        if not (sdk / marker).exists():
            raise ToolError(f"'{sdk}' is not {name}: it has no {marker}", hint)
    return sdk.resolve()


def compiler_version(program: str, hint: str) -> str:
    """Return the first line of what a compiler says of itself. Raises ToolError where it is missing."""
    said = process.run([program, "--version"], timeout_s=_VERSION_S, hint=hint)
    return next((line.strip() for line in said.splitlines() if line.strip()), "unknown")[:200]


def check_programs(folder: Path, names: Sequence[str], hint: str) -> None:
    """Raise ToolError unless the folder has these programs and they may be run."""
    for name in names:
        path = folder / name
        if not path.is_file():
            raise ToolError(f"the SDK's image generator is not complete: there is no '{path}'", hint)
        if not os.access(path, os.X_OK):
            raise ToolError(f"the SDK's program '{path}' may not be run", f"chmod +x '{path}'")


def make_tree(project_dir: Path, found: Manifest, sdk: Path, application: str, copies: Sequence[str]) -> Path:
    """Lay out `sdk` as links below the project, and the project's files in the folder `application`.

    Args:
        project_dir: what `generate` wrote; the tree is its obj/sdk.
        found: its manifest.
        sdk: absolute; its folder of applications may have one of the same name, which is left out.
        application: the path of our application in the SDK, with slashes.
        copies: folders that the SDK's tools write to; copied afresh each time.

    Returns:
        The tree's folder.

    Raises:
        OutputError: it cannot be written.
        ToolError: a file of the project is missing.
    """
    tree = project_dir.resolve() / _TREE
    try:
        # An image of other sources must not pass for theirs if this build fails.
        (project_dir / RECORD).unlink(missing_ok=True)
        if tree.exists() and _origin(tree) != str(sdk):
            shutil.rmtree(tree)
        tree.mkdir(parents=True, exist_ok=True)
        (tree / _ORIGIN).write_text(str(sdk), "utf-8")
        _link(sdk, tree, {PurePosixPath(application), *map(PurePosixPath, copies)})
        for name in copies:
            shutil.rmtree(tree / name, ignore_errors=True)
            shutil.copytree(sdk / name, tree / name, symlinks=True)
        _place(project_dir, found, tree / application)
    except OSError as error:
        raise OutputError(f"cannot make '{tree}': {error.strerror or error}") from error
    return tree


def make(folder: Path, arguments: Sequence[str], board: Board, hint: str) -> None:
    """Run the SDK's makefile in `folder`.

    Raises:
        ToolError: make is missing or fails, with its last lines.
        DoesNotFitError: the linker says that a region is too small.
    """
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    try:
        process.run(["make", *arguments], cwd=folder, env=env, timeout_s=_MAKE_S, hint=hint)
    except ToolError as error:
        layout.check_overflow(error, board)
        raise


def generate_image(folder: Path, command: Sequence[str], elf: Path, place: str, output: str) -> Path:
    """Run the SDK's image generator on a copy of `elf` at `place`; return the path of its output.

    Raises:
        ToolError: there is no ELF file, or the program fails or leaves no output.
    """
    result = folder / output
    try:
        result.parent.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)  # of an earlier build with the SDK
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(elf, folder / place)
    except FileNotFoundError as error:
        raise ToolError(f"the SDK's make left no '{elf}'", "is it a version that edgekit knows?") from error
    except OSError as error:
        raise OutputError(f"cannot write in '{folder}': {error.strerror or error}") from error
    hint = "it is a program for Linux on x86-64; run `edgekit build` there"
    said = process.run([str(folder / command[0]), *command[1:]], cwd=folder, timeout_s=_IMAGE_S, hint=hint)
    if not result.is_file():
        last = "\n".join(said.splitlines()[-10:])
        raise ToolError(f"'{command[0]}' ended without an error and left no '{output}':\n{last}", hint)
    return result


def finish(
    project_dir: Path, found: Manifest, board: Board, compiler: str, elf: Path, output: Path
) -> FirmwareImage:
    """Hold the linked firmware against the board, and take its image into the project's folder.

    Raises:
        ToolError: a section lies outside the board's memory, or a file cannot be read.
        DoesNotFitError: a region is too small.
    """
    try:
        linked, content = read_regular(elf), read_regular(output)
        project = read_regular(project_dir / manifest.NAME)
    except OSError as error:
        raise ToolError(f"cannot read what the SDK has built: {error}") from error
    sections = layout.read_sections(linked, str(elf))
    layout.check(sections, board)
    write_whole(project_dir / IMAGE, content, durable=False)
    digest = hashlib.sha256(project).hexdigest()
    return FirmwareImage.record(project_dir / IMAGE, content, found, digest, compiler, sections)


def _origin(tree: Path) -> str:
    try:
        return read_regular(tree / _ORIGIN).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _link(sdk: Path, tree: Path, own: set[PurePosixPath]) -> None:
    """Link everything in `sdk` but the paths `own`; the folders above them are made, not linked."""
    made = {parent for path in own for parent in path.parents}
    for path in own | made - {PurePosixPath(".")}:
        if (tree / path).is_symlink():
            (tree / path).unlink()  # what is written there would land elsewhere
    for folder in sorted(made):
        (tree / folder).mkdir(exist_ok=True)
        present = {entry.name for entry in (sdk / folder).iterdir()}
        for name in present:
            link = tree / folder / name
            if folder / name not in own | made and not link.is_symlink():
                link.symlink_to(sdk / folder / name)
        for entry in (tree / folder).iterdir():
            if entry.is_symlink() and entry.name not in present:
                entry.unlink()  # the SDK has another version now


def _place(project_dir: Path, found: Manifest, application: Path) -> None:
    """Copy the project's files; those that are already right keep their time, so that make skips them."""
    for name in found.files:
        try:
            content = read_regular(project_dir / name)
        except OSError as error:
            raise ToolError(
                f"cannot read '{project_dir / name}': {error.strerror}",
                "run `edgekit generate` again into this folder",
            ) from error
        target = application / name
        if not target.is_file() or read_regular(target) != content:
            write_whole(target, content, durable=False)
    for path in sorted(application.rglob("*")):
        if path.is_file() and path.relative_to(application).as_posix() not in found.files:
            path.unlink()
