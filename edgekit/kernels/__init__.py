"""Fits the steps of a model to the kernels that a board prefers to the portable ones.

A folder of firmware_templates/runtime/src/ beside `ref` holds faster kernels for some processor. There are
two kinds, and the file names say which:

- `<folder>/<kernel>.c` takes exactly what the portable kernel of that name takes, and replaces it.
- `<folder>/<kernel>_<folder>.c` takes something else: another layout of the weights, other scratch, a struct
  of its own. `<folder>/ek_<folder>.h` declares it, and its twin `edgekit/kernels/<folder>/<kernel>.py` has

      adapt(graph: Graph, step: Step) -> Step | None

  which gets a step made for the portable kernel and returns it as the fast one needs it, or None where that
  one cannot do it and the step stays portable.

Neither may let its output lie over its inputs unless the twin says so: the portable kernel's claim is not
theirs.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from edgekit import resources
from edgekit.graph.ir import Graph
from edgekit.ops.step import PORTABLE, Step


class _Twin(Protocol):
    def adapt(self, graph: Graph, step: Step) -> Step | None: ...


def adapt(graph: Graph, steps: Sequence[Step], folders: Sequence[str]) -> tuple[Step, ...]:
    """Return the steps as the kernels of `folders` need them, the preferred folder first.

    Args:
        graph: the model that was lowered to `steps`.
        steps: made for the portable kernels.
        folders: names of folders of runtime/src/; those behind `ref` are never asked.
    """
    return tuple(_adapted(graph, step, folders) for step in steps)


def _adapted(graph: Graph, step: Step, folders: Sequence[str]) -> Step:
    if step.kernel is None:
        return step
    for folder in folders:
        if folder == PORTABLE:
            return step
        if _replaces(folder, step):
            return replace(step, overlaps=())
        if (Path(__file__).parent / folder / f"{step.kernel}.py").is_file():
            twin = cast(_Twin, import_module(f"{__name__}.{folder}.{step.kernel}"))
            found = twin.adapt(graph, replace(step, overlaps=()))
            if found is not None:
                return replace(found, kernel=f"{step.kernel}_{folder}", folder=folder)
    return step


def optimised(steps: Sequence[Step], folders: Sequence[str]) -> frozenset[int]:
    """Return which of the adapted steps run in kernels of a processor's own, which may want aligned bytes."""
    before = folders[: folders.index(PORTABLE)] if PORTABLE in folders else folders
    return frozenset(
        number
        for number, step in enumerate(steps)
        if step.kernel is not None
        and (step.folder != PORTABLE or any(_replaces(folder, step) for folder in before))
    )


def _replaces(folder: str, step: Step) -> bool:
    """Return whether a folder has a kernel that takes exactly what the portable one takes."""
    return (resources.firmware_templates() / "runtime" / "src" / folder / f"{step.kernel}.c").is_file()
