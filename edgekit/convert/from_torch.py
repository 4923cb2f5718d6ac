"""PyTorch models to ONNX in memory, by a process of their own: they, and their builders, bring code."""

import importlib.util
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from edgekit import errors, process, scratch
from edgekit.convert import from_onnx
from edgekit.convert.export_torch import Request
from edgekit.convert.onnx_model import OnnxModel
from edgekit.errors import EdgekitError, MissingExtraError, ModelError, OutputError, ToolError

_LOG = logging.getLogger("edgekit.convert")
_EXPORT_S = 1800.0
_SAID_BYTES = 1 << 16
_LAST_WORDS = 4
_LAST_CHARACTERS = 600


def load(wanted: Request) -> OnnxModel:
    """Read a PyTorch model and export it to ONNX. The caller has asked for trust already.

    Raises:
        ModelError: damaged; the builder, the user's code or the export fails, ends the process, or takes
            longer than half an hour.
        UsageError: the builder or the size is missing.
        MissingExtraError: torch is not installed.
        OutputError: there is no room in the temporary folder.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "torch", f"reading {wanted.kind}")
    try:
        with scratch.folder() as folder:
            notes = _ask(folder, wanted)
            raw = (folder / "model.onnx").read_bytes()
    except OSError as error:
        raise OutputError(
            f"cannot use the temporary folder: {error}", "make room there, or set TMPDIR"
        ) from error
    return from_onnx.parse(raw, wanted.path.name, notes=notes)


def _ask(folder: Path, wanted: Request) -> tuple[str, ...]:
    """Let the other process write model.onnx into the folder; return its notes."""
    asked = {
        "path": str(wanted.path),
        "kind": wanted.kind,
        "builder": wanted.builder,
        "size": wanted.size,
        "channels": wanted.channels,
        "modules": [str(place) for place in sys.path],
    }
    (folder / "request.json").write_text(json.dumps(asked), "utf-8")
    code, said = _run(folder, wanted.path)
    if said:
        _LOG.debug("PyTorch and the user's code said:\n%s", said)
    try:
        answer: dict[str, Any] = json.loads((folder / "answer.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise _ended(folder, code, said) from None
    if "bug" in answer:
        raise RuntimeError(answer["bug"])
    if "interrupted" in answer:
        raise KeyboardInterrupt
    if "error" in answer:
        kind = getattr(errors, answer["error"])
        error = kind.__new__(kind)
        EdgekitError.__init__(error, answer["message"], answer.get("hint", ""))
        raise error
    return tuple(answer["notes"])


def _run(folder: Path, path: Path) -> tuple[int, str]:
    """Run the other process to its end; return its exit code and the last that it said."""
    # -P: a file `torch.py` in the user's folder is not what is meant. -u: nothing said is lost at an exit.
    command = [sys.executable, "-P", "-u", "-m", "edgekit.convert.export_torch", str(folder)]
    ours = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, ours))}
    code, said = 0, ""
    try:
        process.run(command, env=env, timeout_s=_EXPORT_S)
    except process.StuckToolError as error:
        what, when = _moment(folder)
        raise ModelError(
            f"the export of '{path}' did not end within {_EXPORT_S:g} s: {what} was still busy when {when}",
            "does its code wait for something, or train there? A smaller --size is exported sooner, too",
        ) from error
    except ToolError as error:
        if "exit_code" not in error.details:
            raise
        code, said = error.details["exit_code"], error.message
    if (folder / "said.txt").is_file():
        with (folder / "said.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _SAID_BYTES))
            said = file.read().decode("utf-8", "replace").strip()
    return code, said


def _moment(folder: Path) -> tuple[str, str]:
    """Return what was run last, and when that was."""
    if not (folder / "running.json").is_file():
        return "PyTorch", "it was started"
    what, when = json.loads((folder / "running.json").read_text("utf-8"))
    return str(what), str(when)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # those for real-time have no names
        return f"signal {number}"


def _ended(folder: Path, code: int, said: str) -> ModelError:
    what, when = _moment(folder)
    how = f"exit code {code}" if code >= 0 else _signal(-code)
    words = "; ".join([line.strip() for line in said.splitlines() if line.strip()][-_LAST_WORDS:])
    return ModelError(
        f"{what} ended the program when {when} ({how})"
        + (f"; its last words: {words[-_LAST_CHARACTERS:]}" if words else " without a word"),
        "let it neither exit nor read arguments there; what only training needs belongs under "
        "`if __name__ == '__main__':`"
        if code >= 0
        else "was it made for this version of PyTorch, and is there enough memory?",
    )
