"""One module per TFLite builtin, named as the builtin: the folder listing is what is supported.

Each has `lower(graph, op)`, which checks all that C will rely on and returns a `Step`, or one per output.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from edgekit.errors import UnsupportedOpError
from edgekit.graph.ir import Graph, Op
from edgekit.graph.rewrites import rewritten
from edgekit.ops.step import Step

_NOT_OPERATORS = frozenset({"geometry", "overlap", "step"})

_MAX_OPERATORS = 4096
_MAX_CONSTANTS = 1 << 28
_MAX_WRITTEN = 1 << 27
"""Bytes of all constants of the steps, and of all that they write in one run: more than a microcontroller
has or could compute, so that a small file that asks for more is refused at once."""

_REPLACEMENTS = {
    "DEQUANTIZE": "int8 input and output",
    "REDUCE_MAX": "MAX_POOL_2D",
    "SUM": "MEAN",
}


class _OperatorModule(Protocol):
    def lower(self, graph: Graph, op: Op) -> Step | tuple[Step, ...]: ...


def supported() -> tuple[str, ...]:
    """Return the builtins that edgekit has kernels for, sorted."""
    names = [module.name for module in iter_modules(__path__)]
    return tuple(
        sorted(name.upper() for name in names if not name.startswith("_") and name not in _NOT_OPERATORS)
    )


def lower(graph: Graph) -> tuple[Step, ...]:
    """Return the kernel calls of a whole graph, in order, after the rewrites.

    Raises:
        UnsupportedOpError: some operators have no kernel; all of them are listed with reasons. Or the model
            is larger than any that a microcontroller could run.
        ModelError: the file contradicts itself.
    """
    if len(graph.ops) > _MAX_OPERATORS:
        raise _too_large(f"{len(graph.ops):,} operators; at most {_MAX_OPERATORS:,} are possible")
    known = supported()
    folded = rewritten(graph)
    constants = written = 0
    steps: list[Step] = []
    refused: list[tuple[Op, str]] = []
    for op in folded.ops:
        if op.kind not in known:
            refused.append((op, "there is no kernel for it"))
            continue
        module = cast(_OperatorModule, import_module(f"{__name__}.{op.kind.lower()}"))
        try:
            found = module.lower(folded, op)
            made = [found] if isinstance(found, Step) else found
            steps += made
            constants += sum(constant.size for step in made for constant in step.constants)
            written += sum(folded.tensor(step.output).size for step in made)
        except UnsupportedOpError as error:
            refused.append((op, error.message))
        if constants > _MAX_CONSTANTS or written > _MAX_WRITTEN:
            raise _too_large(
                f"constants of more than {constants >> 20:,} MiB, or writes more than {written >> 20:,} MiB"
            )
    if refused:
        raise _unsupported(folded, refused, known)
    return tuple(steps)


def _too_large(what: str) -> UnsupportedOpError:
    return UnsupportedOpError(
        f"the model has {what}", "no microcontroller can run it: choose a smaller network"
    )


def _unsupported(graph: Graph, refused: list[tuple[Op, str]], known: tuple[str, ...]) -> UnsupportedOpError:
    from edgekit.ops._checks import describe

    lines = [f"edgekit cannot run {len(refused)} of the model's {len(graph.ops)} operators:"]
    lines += [f"  {describe(graph, op)}: {reason}" for op, reason in refused]
    advice = sorted(
        {f"{op.kind} by {_REPLACEMENTS[op.kind]}" for op, _ in refused if op.kind in _REPLACEMENTS}
    )
    replace = f"replace {', '.join(advice)}; " if advice else ""
    return UnsupportedOpError("\n".join(lines), f"{replace}supported are {', '.join(known)}")
