"""An interpreter of .tflite files in a process of its own, whose death names an operator and a frame."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.child import Child, ChildDiedError, ChildSilentError, Message
from edgekit.errors import EdgekitError, ModelError, OracleError, ToolError
from edgekit.graph import tflite
from edgekit.graph.ir import Graph

_LOAD_S = 300.0
_RUN_S = 300.0
"""No network of a microcontroller takes minutes."""
_TOGETHER = 16
"""Frames asked for at once: what passes between processes takes longer than a small network."""
# What LiteRT and tflite-micro say, each in its way, and the source file before it.
_NODE = re.compile(r"Node number (\d+) \((\w+)\) failed|Node (\w+) \(number (\d+)\) failed")
_SOURCE = re.compile(r"^\S+\.(?:cc|h)(?::\d+)? ")
_LAST_LINES, _LONGEST = 4, 300
_LEAVE_OUT = "leave this frame out: it cannot be compared, whatever the device says"
_LIMITS = {"SOFTMAX": "it ends where exponentials add up to 512, as those of 512 nearly equal scores do"}
"""Of what LiteRT's and tflite-micro's kernels are known to end."""


class Interpreter:
    """An interpreter with one model, whose process stays, and is started again after its death.

    Args:
        module: what `edgekit.child` runs. It answers `load` with a model, and `run` with the bytes of
            `frames`, one after the other.
        title: its name in messages.
        model: the .tflite.
        options: what else the head of `load` says.

    Raises:
        ModelError: it refuses the model, or dies of it.
        ToolError: its process cannot be started.
    """

    def __init__(self, module: str, title: str, model: bytes, **options: Any) -> None:
        self._module, self._title, self._model, self._options = module, title, model, options
        self._child: Child | None = None
        self._fatal = ""
        self.loaded: Mapping[str, Any]
        """The head of the answer to `load`."""
        self.words: str
        """What it printed when it loaded the model."""
        self._load()

    def run(self, frames: Sequence[bytes], **more: Any) -> list[Message]:
        """Return what the module answers for each frame.

        Raises:
            OracleError: it has no answer for one, or does not survive it, also when asked for it alone.
        """
        found: list[Message] = []
        together = _TOGETHER
        while len(found) < len(frames):
            some = frames[len(found) : len(found) + together]
            try:
                found += self._ask(some, more)
            except OracleError as error:
                if len(some) == 1:
                    raise error.moved(len(found)) from error.__cause__
                together = 1  # which of them it was
        return found

    def _ask(self, frames: Sequence[bytes], more: Mapping[str, Any]) -> list[Message]:
        if self._child is None:
            self._load()
            assert self._child is not None
        try:
            request = {"do": "run", "frames": len(frames), **more}
            head, body = self._child.ask(request, b"".join(frames), timeout_s=_RUN_S)
        except ChildDiedError as error:
            self.close()
            raise self._died(error, frames, more) from error
        except ChildSilentError as error:
            self.close()
            hint = "run again on a machine with less load"
            raise OracleError(f"{self._title} gives no answer", 0, f": {error.message}", hint) from error
        if "refused" in head:
            reason = self._reason(self._child.words(), head["refused"])
            raise OracleError(f"{self._title} has no answer", 0, reason, _LEAVE_OUT)
        size = len(body) // len(frames)
        return [(head, body[number * size :][:size]) for number in range(len(frames))]

    @property
    def alive(self) -> bool:
        """Whether its process runs: not after a frame that killed it."""
        return self._child is not None

    def close(self) -> None:
        """End the process; the next frame starts another one."""
        if self._child is not None:
            self._child.close()
        self._child = None

    def _load(self) -> None:
        child = Child(self._module)
        try:
            head, _ = child.ask({"do": "load", **self._options}, self._model, timeout_s=_LOAD_S)
            words = child.words()
        except ChildSilentError as error:
            raise ToolError(f"{self._title} does not load the model: {error.message}") from error
        except ChildDiedError as error:
            if not error.crashed:
                raise ToolError(f"{self._title} cannot be started: {error.message}") from error
            operator = self._fatal_operator(None, {})
            where = f", at {operator}" if operator else ""
            raise ModelError(
                f"{self._title} cannot run the model: it crashes ({error.how}){where}"
            ) from error
        if "refused" in head:
            child.close()
            raise ModelError(f"{self._title} cannot run the model{self._reason(words, head['refused'])}")
        self.loaded, self.words, self._child = head, words, child

    def _reason(self, words: str, refused: str) -> str:
        """Return where and why, of what it printed and what it raised."""
        said = f"{words}\n{refused.replace('Node number', chr(10) + 'Node number')}"
        lines = ["".join(c for c in line if c.isprintable())[:_LONGEST] for line in said.split("\n") if line]
        for number, line in enumerate(lines):
            if node := _NODE.search(line):
                index, where = int(node[1] or node[4]), f"operator {node[1] or node[4]} {node[2] or node[3]}"
                why = _SOURCE.sub("", lines[number - 1] if number else line)
                with contextlib.suppress(ModelError, IndexError):
                    where = _operator(tflite.parse(self._model), index)
                return f", at {where}: {why}"
        return f": {'; '.join(lines[-_LAST_LINES:])}"

    def _died(self, error: ChildDiedError, frames: Sequence[bytes], more: Mapping[str, Any]) -> OracleError:
        if not error.crashed:
            hint = "something outside has ended it; where memory is short, free some; then run again"
            return OracleError(f"the process of {self._title} was stopped ({error.how})", 0, "", hint)
        where = ""
        if self._fatal:  # not looked for again: it takes seconds, and is the same one
            where = f", as before at {self._fatal}"
        elif len(frames) == 1:
            self._fatal = self._fatal_operator(frames[0], more)
            where = f", at {self._fatal}" if self._fatal else ""
        return OracleError(f"{self._title} crashes ({error.how})", 0, where, _LEAVE_OUT)

    def _fatal_operator(self, frame: bytes | None, more: Mapping[str, Any]) -> str:
        """Return the operator of which the interpreter dies when it runs a frame, or, without one, loads.

        Empty if there is none: it dies without operators too, or this time survives them all.
        """
        try:
            graph = tflite.parse(self._model)
            lives, dies = 0, len(graph.ops)
            if self._survives(dies, frame, more) or not self._survives(lives, frame, more):
                return ""
            while dies - lives > 1:
                middle = (lives + dies) // 2
                if self._survives(middle, frame, more):
                    lives = middle
                else:
                    dies = middle
        except EdgekitError:
            return ""
        limit = _LIMITS.get(graph.ops[lives].kind)
        return _operator(graph, lives) + (f" ({limit})" if limit else "")

    def _survives(self, count: int, frame: bytes | None, more: Mapping[str, Any]) -> bool:
        """Whether it lives through the first `count` operators."""
        child = Child(self._module)
        try:
            model = tflite.first_operators(self._model, count)
            child.ask({"do": "load", **self._options}, model, timeout_s=_LOAD_S)
            if frame is not None:
                child.ask({"do": "run", "frames": 1, **more}, frame, timeout_s=_RUN_S)
        except ChildDiedError:
            return False
        finally:
            child.close()
        return True


def _operator(graph: Graph, index: int) -> str:
    op = graph.ops[index]
    made = " ".join(
        f"'{graph.tensor(i).name}' {'x'.join(map(str, graph.tensor(i).shape))}" for i in op.outputs[:1]
    )
    return f"operator {index} {op.kind} {made}".rstrip()
