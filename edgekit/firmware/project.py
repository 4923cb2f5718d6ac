"""Puts generated model, runtime, application and the board's own files together into one buildable folder."""

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import __version__, resources
from edgekit.board import Board, Runtime
from edgekit.errors import OutputError, ProjectError, ToolError
from edgekit.files import TEMPORARY, locked, read_regular, write_whole
from edgekit.firmware import camera, families, manifest, options
from edgekit.firmware.options import PLAIN, Firmware

if TYPE_CHECKING:  # the generator brings numpy, which a build does not need
    from edgekit.codegen.generator import GeneratedModel

_KERNEL = re.compile(r"ek_[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class FirmwareProject:
    """All files of a firmware project, by path with slashes; `manifest` is its edgekit.json."""

    board_id: str
    model_digest: str
    contract_digest: str
    firmware: Firmware
    files: Mapping[str, bytes] = field(repr=False)
    kernels: Mapping[str, str]
    """Kernel name to the folder that it was taken from."""
    manifest: bytes = field(repr=False)


def assemble(
    model: "GeneratedModel",
    board: Board,
    firmware: Firmware = PLAIN,
    *,
    external: Collection[str] = (),
) -> FirmwareProject:
    """Make the firmware project of a model for a board, in memory. Equal input gives equal bytes.

    Args:
        model: the generated C.
        board: decides the template, the kernels and the settings of the application.
        firmware: protocol, debug and camera.
        external: what lies in the board's external memory: of `frame buffers` and `arena`.

    Raises:
        UsageError: protocol, runtime, board or model cannot do what `firmware` wants.
        ProjectError: the board names no kernel folder that has a kernel the model needs, or its facts are
            not those of its template.
        DoesNotFitError: the model is larger than a partition of the board's flash can be.
    """
    options.check(firmware, model, board)
    baud = firmware.protocol.baud or board.serial.baud
    board = replace(board, serial=replace(board.serial, baud=baud))
    kernels = {step.kernel: step.folder for step in model.steps if step.kernel}
    files = _sources(model, board, firmware, kernels)
    context = _context(board, firmware, files) | {
        "camera": camera.view(board, model.contract) if firmware.camera else None,
        "stored": bool(model.stored_bytes),
        "external": tuple(external),
        "kernel_folders": sorted(set(kernels.values())),
    }
    context |= firmware.protocol.context(model.contract)
    context |= families.of(board).context(model, board)
    files = _render(files, context)
    for name in files:
        if not manifest.is_safe(name) or name == manifest.NAME:
            raise ProjectError(f"a firmware project cannot have a file named '{name}'")
    fields = _fields(model, board, firmware, kernels, files) | {"external_memory": sorted(external)}
    return FirmwareProject(
        board_id=board.id,
        model_digest=model.model_digest,
        contract_digest=model.contract_digest,
        firmware=firmware,
        files=dict(sorted(files.items())),
        kernels=kernels,
        manifest=manifest.to_json(fields),
    )


def write(project: FirmwareProject, out: Path) -> None:
    """Write a project to the folder `out`, in place of an earlier one.

    Files that are already right are not touched, so that a build starts from what has changed. Files
    that an earlier generation wrote and this one does not have are removed; nothing else is.

    Raises:
        OutputError: `out` is a file, holds files that edgekit did not write, or cannot be written.
        ToolError: it holds links that lead out of it.
    """
    with locked(out):
        old = _owned(out, project.files)
        manifest.check_inside(out, {*old, *project.files})
        if old == {name: _digest(content) for name, content in project.files.items()} and (
            _same(out / manifest.NAME, project.manifest)
            and all(_same(out / name, content) for name, content in project.files.items())
        ):
            return
        # From here until the end edgekit.json says that the folder is not complete, but whose it is.
        both = dict(old) | {name: _digest(content) for name, content in project.files.items()}
        _sweep(out, both)
        write_whole(out / manifest.NAME, _opening(project, both), durable=False)
        for name, content in project.files.items():
            if not _same(out / name, content):
                write_whole(out / name, content, durable=False)
        _remove(out, sorted(set(old) - set(project.files)))
        write_whole(out / manifest.NAME, project.manifest, durable=False)


def include_folders(files: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that hold headers, sorted; `.` is the project itself."""
    headers = (name for name in files if name.endswith(".h"))
    return tuple(sorted({name.rpartition("/")[0] or "." for name in headers}))


def defines(debug: bool) -> tuple[str, ...]:
    """Return the compiler flags by which a debug build differs."""
    return ("-DEK_TRACE=1",) if debug else ()


def _sources(
    model: "GeneratedModel", board: Board, firmware: Firmware, kernels: Mapping[str, str]
) -> dict[str, bytes]:
    """Return all files before templates are filled in; the board's own come last and may replace others."""
    templates = resources.firmware_templates()
    files = {f"model/{name}": content for name, content in model.files.items()}
    if model.runtime is Runtime.COMPILED:
        files |= _runtime(templates / "runtime", board, kernels)
    shared = _tree(templates / "app", "app/")
    files |= {name: content for name, content in shared.items() if name.count("/") == 1}
    files |= _tree(templates / "app" / firmware.protocol.name, "app/")
    for folder in (*board.build.shared, board.build.template):
        files |= _tree(templates / folder, "")
    if model.stored_bytes:
        assert firmware.protocol.stored_model, "the firmware speaks of one model, and another could be stored"
        files |= _tree(templates / "stored_model", "stored_model/")
        files |= _tree(templates / f"{board.build.template}_model", "")
    if firmware.camera:
        files |= _tree(templates / "camera", "camera/")
        files |= _tree(camera.folder(board), "")
    return files


def _runtime(folder: Path, board: Board, kernels: Mapping[str, str]) -> dict[str, bytes]:
    """Return the runtime's files: its headers, and each kernel from its folder."""
    files = _tree(folder / "include", "runtime/include/")
    for kernel, variant in kernels.items():
        assert _KERNEL.fullmatch(kernel), kernel
        if variant not in board.build.kernels:
            raise ProjectError(
                f"the board '{board.id}' has no kernel {kernel}: not in {', '.join(board.build.kernels)}",
                "add 'ref', which has every kernel, to build.kernels of the board file",
            )
        place = folder / "src" / variant
        for source in (place / f"{kernel}.c", *place.glob("*.h")):
            files[f"runtime/src/{variant}/{source.name}"] = source.read_bytes()
    return files


def _tree(folder: Path, prefix: str) -> dict[str, bytes]:
    """Return the files under a folder of templates; hidden ones stay out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith((".", "__")) for part in name.split("/")):
            found[prefix + name] = path.read_bytes()
    return found


def _context(board: Board, firmware: Firmware, files: Iterable[str]) -> dict[str, Any]:
    """Return what all templates may use: the settings, and the names of all files."""
    names = {name.removesuffix(".j2") for name in files}
    return {
        "board": board,
        "version": __version__,
        "sources": sorted(name for name in names if name.endswith((".c", ".cc"))),
        "include_folders": include_folders(names),
        "defines": defines(firmware.debug),
    }


def _render(files: Mapping[str, bytes], context: Mapping[str, Any]) -> dict[str, bytes]:
    """Fill in the files that end in .j2."""
    import jinja2

    # The output is C and make, not HTML; edgekit.board lets nothing through that they would misread.
    environment = jinja2.Environment(  # noqa: S701
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    rendered = {}
    for name, content in files.items():
        if name.endswith(".j2"):
            try:
                text = environment.from_string(content.decode("utf-8")).render(context)
            except (jinja2.TemplateError, UnicodeDecodeError) as error:
                raise ProjectError(f"the template '{name}' is wrong: {error}") from error
            rendered[name.removesuffix(".j2")] = text.encode("utf-8")
        else:
            rendered[name] = content
    return rendered


def _fields(
    model: "GeneratedModel",
    board: Board,
    firmware: Firmware,
    kernels: Mapping[str, str],
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    offsets = {} if model.plan is None else model.plan.offsets
    return {
        **({model.runtime.value: model.report} if model.report else {}),
        "edgekit": __version__,
        "board": board.id,
        "runtime": model.runtime.value,
        **_options(firmware),
        "camera": firmware.camera,
        "model_digest": model.model_digest,
        "contract_digest": model.contract_digest,
        "memory": {
            "arena_bytes": model.arena_bytes,
            "weight_bytes": model.weight_bytes,
            "frame_buffer_bytes": board.build.frame_buffers * model.contract.input_bytes,
            "stack_reserve_bytes": board.build.stack_reserve_bytes,
            "tensor_offsets": {str(index): offset for index, offset in offsets.items()},
        },
        "macs": model.macs,
        "steps": [{"kind": step.kind, "kernel": step.kernel} for step in model.steps],
        "kernels": dict(kernels),
        "files": {name: _digest(content) for name, content in files.items()},
        "complete": True,
    }


def _options(firmware: Firmware) -> dict[str, Any]:
    return {"debug": firmware.debug, "protocol": firmware.protocol.name}


def _opening(project: FirmwareProject, files: Mapping[str, str]) -> bytes:
    """Return the edgekit.json that stands while the files are being written."""
    return manifest.to_json(
        {
            "board": project.board_id,
            **_options(project.firmware),
            "model_digest": project.model_digest,
            "contract_digest": project.contract_digest,
            "files": dict(files),
            "complete": False,
        }
    )


def _owned(out: Path, new: Iterable[str]) -> Mapping[str, str]:
    """Return the files of `out` that edgekit wrote; refuse to go on over anybody else's."""
    try:
        found = manifest.read(out)
        if found is None:
            foreign = sorted(path.name for path in out.iterdir() if not path.name.startswith(TEMPORARY))
        else:
            foreign = [name for name in new if name not in found.files and (out / name).exists()]
    except ToolError as error:
        raise OutputError(error.message, f"empty '{out}', or choose another folder with -o") from error
    except OSError as error:
        raise OutputError(f"cannot read '{out}': {error.strerror}") from error
    if foreign:
        raise OutputError(
            f"'{out}' holds files that edgekit did not write: {', '.join(foreign[:5])}"
            + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""),
            "choose an empty folder with -o, or move them away",
        )
    return {} if found is None else found.files


def _sweep(out: Path, names: Iterable[str]) -> None:
    """Remove what a killed run was writing; the folder is locked, so nobody is writing it now."""
    root = out.resolve()
    for folder in {(out / name).parent.resolve() for name in names}:
        for path in folder.glob(f"{TEMPORARY}*") if folder.is_relative_to(root) else ():
            with contextlib.suppress(OSError):
                path.unlink()


def _remove(out: Path, names: Iterable[str]) -> None:
    """Remove files of an earlier generation, and the folders that this empties."""
    for name in names:
        path = out / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove the old file '{path}': {error.strerror}") from error
        for folder in path.relative_to(out).parents:
            try:
                if folder != Path():
                    (out / folder).rmdir()
            except OSError:
                break  # not empty


def _same(path: Path, content: bytes) -> bool:
    try:
        return read_regular(path) == content
    except OSError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
