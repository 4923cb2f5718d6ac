"""Fits the steps of a model to the kernels that a board prefers to the portable ones.

A folder of firmware_templates/runtime/src/ beside `ref` holds faster kernels for some processor. There are
two kinds, and the file names say which:

- `<folder>/<kernel>.c` takes exactly what the portable kernel of that name takes, and replaces it.
- `<folder>/<kernel>_<folder>.c` takes something else: another layout of the weights, a struct of its own.
  `<folder>/ek_<folder>.h` declares it, and its twin `edgekit/kernels/<folder>/<kernel>.py` has

      adapt(graph: Graph, step: Step) -> Step | None

  which gets a step made for the portable kernel and returns it as the fast one needs it, or None where that
  one cannot do it and the step stays portable.

Without a twin a kernel keeps what the portable one claims: how far its output may lie over its inputs, its
scratch, and that bytes may lie anywhere. A kernel that reads, writes or aligns otherwise, of either kind, has
a twin, which gets the step without a claim and states its own: `edgekit.ops.overlap` computes it from
`Step.geometry`. tests/kernels/test_folders.py runs every folder at what its steps claim.
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
            break
        same = _has(folder, step.kernel)
        if (Path(__file__).parent / folder / f"{step.kernel}.py").is_file():
            twin = cast(_Twin, import_module(f"{__name__}.{folder}.{step.kernel}"))
            found = twin.adapt(graph, replace(step, overlaps=(), scratch_bytes=0))
            if found is not None:
                return replace(
                    found, kernel=step.kernel if same else f"{step.kernel}_{folder}", folder=folder
                )
            assert not same, f"{folder}/{step.kernel}.c has the portable kernel's name: it takes every step"
        elif same:
            return replace(step, folder=folder)
    return step


def _has(folder: str, kernel: str) -> bool:
    """Return whether a folder has a kernel of the portable one's name."""
    return (resources.firmware_templates() / "runtime" / "src" / folder / f"{kernel}.c").is_file()
