"""Compiles a firmware project: only what has changed, on all cores, with every warning an error."""

import hashlib
import os
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit import process, scratch, toolchain
from edgekit.board import Board, named
from edgekit.errors import OutputError, ToolError, UsageError
from edgekit.files import locked, read_regular, write_whole
from edgekit.firmware import layout, manifest, sdk, seal
from edgekit.firmware.image import RECORD, FirmwareImage
from edgekit.firmware.manifest import OBJECTS
from edgekit.firmware.project import defines, include_folders
from edgekit.toolchain import Compiler

IMAGE = "firmware"
LANGUAGE = ("-std=c11",)
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wvla",
    "-Werror",
)
_COMPILE_S = 600


@dataclass(frozen=True, slots=True)
class _Job:
    """One command that makes one file, run only when `key` is not the one that made it last."""

    command: tuple[str, ...]
    output: str
    key: str
    hint: str


def build(
    project_dir: Path,
    board: Board,
    *,
    compiler: str | None = None,
    cflags: Sequence[str] = (),
    jobs: int | None = None,
    sdk_dir: Path | None = None,
) -> FirmwareImage:
    """Compile and link the project that `generate` wrote; return the image.

    A board with an SDK is built by it: then compiler, flags and jobs are the SDK's own.

    Args:
        project_dir: a folder with an edgekit.json.
        board: the board that it was generated for.
        compiler: a command to use instead of what `toolchain.find` would find.
        cflags: more flags, behind the board's, for compiler and linker: `-fsanitize=address,undefined`.
        jobs: compilers at a time; None means one per core.
        sdk_dir: where the board's SDK is; None looks in the usual places.

    Raises:
        UsageError: a compiler for a board that an SDK builds, or an SDK for one that has none.
        ToolError: no project, no compiler, or a source does not compile (with the compiler's last lines).
        DoesNotFitError: the linked firmware is larger than a region of the board, or its flash or RAM.
        OutputError: the folder cannot be written.
    """
    with locked(_checked(project_dir, board)):
        found = _project(project_dir, board)
        if board.build.sdk:
            if compiler or cflags:
                raise UsageError(f"the board '{board.id}' is built by its SDK, with its own compiler")
            return sdk.build(project_dir, found, board, sdk_dir)
        if sdk_dir is not None:
            raise UsageError(f"the board '{board.id}' is built without an SDK", "leave out --sdk")
        chosen = toolchain.find(board.soc.isa, board.build.compilers, compiler)
        with scratch.folder() as temporary:
            chosen = replace(chosen, extra_env=(*chosen.extra_env, *scratch.environment(temporary)))
            return _build(project_dir, found, board, chosen, tuple(cflags), jobs or os.cpu_count() or 1)


def load_image(project_dir: Path, board: Board) -> FirmwareImage:
    """Return the image that was built last from the project as it stands.

    Raises:
        ToolError: it was not built, or generated anew since.
    """
    with locked(_checked(project_dir, board)):
        hint = f"run `edgekit build {_quoted(project_dir)} --board {board.argument}`"
        try:
            image = FirmwareImage.load(project_dir)
        except FileNotFoundError as error:
            raise ToolError(f"'{project_dir}' has not been built", hint) from error
        if image.project_digest != _project_digest(project_dir):
            raise ToolError(f"'{project_dir}' was generated again after it was built", hint)
    return image


def _checked(project_dir: Path, board: Board) -> Path:
    if manifest.read(project_dir) is None:
        raise ToolError(
            f"'{project_dir}' is not a firmware project: it has no {manifest.NAME}",
            _generate(project_dir, board),
        )
    return project_dir


def _generate(project_dir: Path, board: Board) -> str:
    return f"run `edgekit generate MODEL --board {board.argument} -o {_quoted(project_dir)}`"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _project(project_dir: Path, board: Board) -> manifest.Manifest:
    found = manifest.read(project_dir)
    assert found is not None
    hint = _generate(project_dir, board)
    if not found.complete:
        raise ToolError(f"'{project_dir}' is not complete: its generation was interrupted", hint)
    if found.board_id != board.id:
        raise ToolError(
            f"'{project_dir}' was generated for the board '{found.board_id}', not for '{board.id}'",
            f"name its board with --board {named(found.board_id)}, or {hint}",
        )
    manifest.check_inside(project_dir, found.files)
    return found


def _build(
    project_dir: Path,
    found: manifest.Manifest,
    board: Board,
    compiler: Compiler,
    cflags: tuple[str, ...],
    jobs: int,
) -> FirmwareImage:
    compiles = _compile_jobs(project_dir, found, board, compiler, cflags)
    scripts = [_read(project_dir / name) for name in sorted(found.files) if name.endswith(".ld")]
    link = _link_job(compiles, scripts, board, compiler, cflags)
    project_digest = _project_digest(project_dir)
    try:
        (project_dir / OBJECTS).mkdir(exist_ok=True)
        if _is_fresh(project_dir, link):
            try:
                image = FirmwareImage.load(project_dir)
            except (FileNotFoundError, ToolError):
                pass  # `make` in the folder has linked its own
            else:
                if image.project_digest == project_digest:
                    return image
        # An image that no longer fits its sources must not pass for theirs if this build fails.
        (project_dir / RECORD).unlink(missing_ok=True)
        _key_path(project_dir, link).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write in '{project_dir}': {error.strerror}") from error
    pool = ThreadPoolExecutor(jobs)
    try:
        for _ in pool.map(lambda job: _make(project_dir, job, compiler), compiles):
            pass
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        process.interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    _link(project_dir, link, board, compiler)
    content = _read(project_dir / IMAGE)
    sections = layout.read_sections(content, str(project_dir / IMAGE)) if board.memory.regions else ()
    layout.check(sections, board)
    return FirmwareImage.record(
        project_dir / IMAGE, content, found, project_digest, compiler.version, sections
    )


def _compile_jobs(
    project_dir: Path,
    found: manifest.Manifest,
    board: Board,
    compiler: Compiler,
    cflags: tuple[str, ...],
) -> list[_Job]:
    headers = hashlib.sha256()
    for name in sorted(found.files):
        if name.endswith(".h"):
            headers.update(name.encode() + b"\0" + hashlib.sha256(_read(project_dir / name)).digest())
    folders = (f"-I{folder}" for folder in include_folders(found.files))
    common = (*LANGUAGE, *WARNINGS, *board.build.cflags, *defines(found.debug), *folders, *cflags)
    jobs = []
    for source in found.sources:
        # One folder for all objects: `app/ek_app.c` becomes obj/app.ek_app.o.
        output = f"{OBJECTS}/{source.removesuffix('.c').replace('/', '.')}.o"
        command = (*compiler.command, *common, "-c", source, "-o", output)
        inputs = (*command, compiler.version, headers.hexdigest(), _digest(_read(project_dir / source)))
        hint = f"`{shlex.join(command)}` in '{project_dir}' shows all that the compiler says"
        jobs.append(_Job(command, output, _digest("\0".join(inputs).encode()), hint))
    return jobs


def _link_job(
    compiles: list[_Job], scripts: list[bytes], board: Board, compiler: Compiler, cflags: tuple[str, ...]
) -> _Job:
    objects = (job.output for job in compiles)
    command = (
        *compiler.command,
        *board.build.cflags,
        *cflags,
        *objects,
        *board.build.ldflags,
        "-o",
        IMAGE,
    )
    inputs = (*command, compiler.version, *(job.key for job in compiles), *map(_digest, scripts))
    return _Job(
        command, IMAGE, _digest("\0".join(inputs).encode()), f"the command was `{shlex.join(command)}`"
    )


def _link(project_dir: Path, job: _Job, board: Board, compiler: Compiler) -> None:
    try:
        _make(project_dir, job, compiler)
    except ToolError as error:
        layout.check_overflow(error, board)
        raise


def _make(project_dir: Path, job: _Job, compiler: Compiler) -> None:
    if _is_fresh(project_dir, job):
        return
    key = _key_path(project_dir, job)
    try:
        key.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove '{key}': {error.strerror}") from error
    try:
        process.run(
            job.command,
            cwd=project_dir,
            env=compiler.environment(),
            timeout_s=_COMPILE_S,
            hint=job.hint,
        )
    except ToolError:
        scratch.check_room()
        raise
    write_whole(key, _stamp(project_dir, job), durable=False)


def _is_fresh(project_dir: Path, job: _Job) -> bool:
    try:
        return read_regular(_key_path(project_dir, job)) == _stamp(project_dir, job)
    except (OSError, ToolError):
        return False


def _stamp(project_dir: Path, job: _Job) -> bytes:
    """Return what stands beside an output: how it was made and what it is, sealed: after a power cut or from
    a stranger, it may be another.
    """
    return seal.of(f"{job.key} {_digest(_read(project_dir / job.output))}")


def _key_path(project_dir: Path, job: _Job) -> Path:
    return project_dir / OBJECTS / f"{Path(job.output).name}.key"


def _project_digest(project_dir: Path) -> str:
    return _digest(_read(project_dir / manifest.NAME))


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise ToolError(
            f"cannot read '{path}': {error.strerror}", "run `edgekit generate` again into this folder"
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
