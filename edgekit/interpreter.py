"""An interpreter of .tflite files in a process of its own, whose death names an operator and a frame."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from edgekit.child import Child, ChildDiedError, ChildSilentError, Message
from edgekit.errors import EdgekitError, ModelError, OracleError, ToolError
from edgekit.graph import tflite
from edgekit.graph.ir import Graph

_TIMEOUT_S = 300.0
"""For one frame: no network of a microcontroller takes minutes."""
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
        module: what `edgekit.child` runs. It answers `load` with a model, and `run` with a frame's bytes.
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

    def run(self, values: bytes, **more: Any) -> Message:
        """Return what the module answers for one frame.

        Raises:
            OracleError: it has no answer, or does not survive the frame; the frame counts as number 0.
        """
        if self._child is None:
            self._load()
            assert self._child is not None
        try:
            head, body = self._child.ask({"do": "run", **more}, values)
        except ChildDiedError as error:
            self.close()
            raise self._died(error, values, more) from error
        except ChildSilentError as error:
            self.close()
            raise OracleError(
                f"{self._title} gives no answer",
                0,
                f": {error.message}",
                "run again on a machine with less load",
            ) from error
        if "refused" in head:
            reason = self._reason(self._child.words(), head["refused"])
            raise OracleError(f"{self._title} has no answer", 0, reason, _LEAVE_OUT)
        return head, body

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
        child = Child(self._module, _TIMEOUT_S)
        try:
            head, _ = child.ask({"do": "load", **self._options}, self._model)
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
                index, kind = int(node[1] or node[4]), node[2] or node[3]
                where, why = (
                    f"operator {index} {kind}",
                    _SOURCE.sub("", lines[number - 1] if number else line),
                )
                with contextlib.suppress(ModelError, IndexError):
                    where = _operator(tflite.parse(self._model), index)
                return f", at {where}: {why}"
        return f": {'; '.join(lines[-_LAST_LINES:])}"

    def _died(self, error: ChildDiedError, values: bytes, more: Mapping[str, Any]) -> OracleError:
        if not error.crashed:
            hint = "something outside has ended it; where memory is short, free some; then run again"
            return OracleError(f"the process of {self._title} was stopped ({error.how})", 0, "", hint)
        if self._fatal:  # not looked for again: it takes seconds, and is the same one
            where = f", as before at {self._fatal}"
        else:
            self._fatal = self._fatal_operator(values, more)
            where = f", at {self._fatal}" if self._fatal else ""
        return OracleError(f"{self._title} crashes ({error.how})", 0, where, _LEAVE_OUT)

    def _fatal_operator(self, values: bytes | None, more: Mapping[str, Any]) -> str:
        """Return the operator of which the interpreter dies when it runs a frame, or, without one, loads.

        Empty if there is none: it dies without operators too, or survives another time.
        """
        try:
            graph = tflite.parse(self._model)
            lives, dies = 0, len(graph.ops)
            if self._survives(dies, values, more) or not self._survives(lives, values, more):
                return ""
            while dies - lives > 1:
                middle = (lives + dies) // 2
                if self._survives(middle, values, more):
                    lives = middle
                else:
                    dies = middle
        except EdgekitError:
            return ""
        limit = _LIMITS.get(graph.ops[lives].kind)
        return _operator(graph, lives) + (f" ({limit})" if limit else "")

    def _survives(self, count: int, values: bytes | None, more: Mapping[str, Any]) -> bool:
        """Whether it lives through the first `count` operators."""
        child = Child(self._module, _TIMEOUT_S)
        try:
            child.ask({"do": "load", **self._options}, tflite.first_operators(self._model, count))
            if values is not None:
                child.ask({"do": "run", **more}, values)
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
