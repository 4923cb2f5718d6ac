"""Count the two public models on every emulated board, beside TensorFlow Lite Micro.

    EDGEKIT_DATA=DIR python benchmarks/emulated.py [--json]

Writes docs/reference/benchmarks.md. Every figure in it is exact: the same models, frames and
compilers give the same page on any machine. Bar: all boards compute the same outputs.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import public_data

from edgekit import board, models, proof
from edgekit.bench.measure import measure
from edgekit.bench.result import Bench

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
FRAMES = 10
MODELS = {
    "ic01_resnet8_int8": "ResNet-8 (ic01), 12,501,632 MACs",
    "vww01_mobilenetv1_025_96_int8": "MobileNetV1 0.25 (vww01), 7,489,664 MACs",
}


@dataclass(frozen=True)
class Other:
    """TensorFlow Lite Micro's figures of one model on one processor."""

    kernels: str
    instructions: int
    arena: int | None = None
    engine: int | None = None
    stack: int | None = None
    per_op: tuple[int, ...] = field(default=())
    """Thousands of instructions, without the operators that compute nothing."""


# Commit 90b983c with the CMSIS-NN that it pins, gcc 12.2, core -Os and kernels -O2, only int8 kernels
# registered, exact instructions per Invoke in the same QEMU. Engine and stack are given once for both models.
TFLM = {
    ("ic01_resnet8_int8", "mps3_an547"): (
        Other(
            *("CMSIS-NN with Helium", 4_913_230, 55_028, 41_256, 1_032),
            (627, 942, 942, 226, 395, 604, 142, 113, 282, 488, 82, 57, 7, 1, 5),
        ),
    ),
    ("ic01_resnet8_int8", "mps2_an386"): (
        Other(
            *("CMSIS-NN with DSP", 29_864_666, 54_996, 50_920, 940),
            (2110, 5493, 5493, 1332, 2521, 4544, 564, 670, 2189, 4156, 422, 335, 27, 2, 5),
        ),
        Other("reference", 107_405_837),
    ),
    ("vww01_mobilenetv1_025_96_int8", "mps3_an547"): (
        Other("CMSIS-NN with Helium", 6_558_336, 100_772, 41_256, 1_032),
    ),
    ("vww01_mobilenetv1_025_96_int8", "mps2_an386"): (
        Other("CMSIS-NN with DSP", 24_101_960, 100_708, 50_920, 940),
        Other("reference", 100_251_785),
    ),
}

INTRODUCTION = """\
# Benchmarks on emulated boards

Made by `EDGEKIT_DATA=DIR python benchmarks/emulated.py`, which `make bench` runs too; one row by
`edgekit bench --board ID MODEL`. The [other page](benchmarks-host.md) has the figures of the host.

Instructions are counted one by one in QEMU ([how](../how-to/count-instructions.md)): the same numbers on
every machine. **They are not time.** QEMU has no pipeline, cache or wait states, and one Helium instruction
does the work of many.

Each row is the median of {frames} frames: CIFAR-10's test images for ic01, random pixels for vww01. Sizes
are bytes. *Engine* is all flash that does not depend on the model: with edgekit the whole firmware with
protocol, drivers and start-up, with TensorFlow Lite Micro (TFLM) interpreter and kernels. *Stack* is the most
in use, with edgekit from reset on, interrupts aside. TFLM's arena holds its interpreter's structures too.

TFLM is commit 90b983c with its own CMSIS-NN, gcc 12.2, core at -Os, kernels at -O2, int8 kernels only, in the
same QEMU; its engine and stack were measured once for both models. For the other boards there are no figures
of it.
"""

READING = """\
## How to read it

edgekit's kernels are portable C: no Helium, no DSP instructions, no intrinsics. On the Cortex-M55 they take
{m55} times the instructions of CMSIS-NN, which is written for Helium, and on the Cortex-M4
{m4} times those of CMSIS-NN with the DSP extension. Of TFLM's own portable kernels on the
Cortex-M4 they take {reference} times the instructions. Engine, arena and stack are smaller throughout:
there is no interpreter on the board.
"""


def boards() -> list[board.Board]:
    """Return the boards that QEMU runs."""
    found = (board.load(name) for name in board.list_ids())
    return [item for item in found if item.emulator is not None and item.emulator.kind == "qemu"]


def count(folder: Path, name: str) -> list[Bench]:
    """Return the figures of a model on every board."""
    model = models.load_model(public_data.anchor(folder, name))
    if name.startswith("ic01"):
        frames, _ = public_data.cifar10(folder, "test", FRAMES)
    else:
        frames = proof.random_frames(model.contract, FRAMES, 0)
    return [measure(model, target, frames) for target in boards()]


def table(name: str, rows: list[Bench]) -> Iterator[str]:
    """Yield the lines of one model's table."""
    yield f"## {MODELS[name]}\n"
    yield "| board | engine of | instructions | edgekit ÷ this | arena | stack | engine | model |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        assert row.instructions_per_invoke is not None
        sizes = (row.arena_bytes, row.stack_bytes, row.engine_bytes, row.model_bytes)
        cells = " | ".join(map(_size, sizes))
        yield f"| `{row.board}`, {row.cpu} | edgekit | {row.instructions_per_invoke:,} | 1 | {cells} |"
        for other in TFLM.get((name, row.board), ()):
            ratio = row.instructions_per_invoke / other.instructions
            cells = " | ".join(map(_size, (other.arena, other.stack, other.engine, None)))
            yield f"| | TFLM, {other.kernels} | {other.instructions:,} | {ratio:.2f} | {cells} |"
    yield ""


def steps(name: str, rows: list[Bench]) -> Iterator[str]:
    """Yield the table of operators on the boards that have figures to compare."""
    compared = [row for row in rows if any(other.per_op for other in TFLM.get((name, row.board), ()))]
    if not compared:
        return
    yield "Thousands of instructions per operator:\n"
    heads = "".join(f" {row.cpu} | TFLM | ratio |" for row in compared)
    yield f"| operator | output |{heads}"
    yield "|---|---|" + "---:|---:|---:|" * len(compared)
    theirs = [iter(TFLM[(name, row.board)][0].per_op) for row in compared]
    for number, step in enumerate(compared[0].per_op):
        if step.instructions == 0:
            continue
        cells = ""
        for row, numbers in zip(compared, theirs, strict=True):
            ours, other = (row.per_op[number].instructions or 0) / 1e3, next(numbers)
            cells += f" {ours:,.0f} | {other:,} | {ours / other:.2f} |"
        yield f"| {step.kind} | {step.output} |{cells}"
    yield ""


def render(found: dict[str, list[Bench]]) -> str:
    """Return the page."""
    lines = [INTRODUCTION.format(frames=FRAMES)]
    for name, rows in found.items():
        lines += [*table(name, rows), *steps(name, rows)]
    lines.append(
        READING.format(
            m55=_range(found, "mps3_an547", 0),
            m4=_range(found, "mps2_an386", 0),
            reference=_range(found, "mps2_an386", 1),
        )
    )
    lines.append("## Compilers\n\n| board | compiler | flags |\n|---|---|---|")
    for row in next(iter(found.values())):
        flags = " ".join(flag for flag in row.cflags if not flag.startswith("-DEK_"))
        lines.append(f"| `{row.board}` | {row.compiler} | `{flags}` |")
    lines.append(f"\nQEMU {', '.join(sorted({row.qemu or '' for rows in found.values() for row in rows}))}.")
    return "\n".join(lines) + "\n"


def _range(found: dict[str, list[Bench]], target: str, which: int) -> str:
    ratios = sorted(
        (row.instructions_per_invoke or 0) / TFLM[(name, target)][which].instructions
        for name, rows in found.items()
        for row in rows
        if row.board == target
    )
    low, high = f"{ratios[0]:.2f}", f"{ratios[-1]:.2f}"
    return low if low == high else f"{low} to {high}"


def _size(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = public_data.root()
    if folder is None:
        print("set EDGEKIT_DATA to a folder with the public models and CIFAR-10", file=sys.stderr)
        return 2
    found = {name: count(folder, name) for name in MODELS}
    PAGE.write_text(render(found), "utf-8")
    good = all(len({row.outputs_sha256 for row in rows}) == 1 for rows in found.values())
    rows = [
        {"model": row.model, "board": row.board, "instructions": row.instructions_per_invoke}
        for counted in found.values()
        for row in counted
    ]
    if options.json:
        print(json.dumps({"rows": rows, "ok": good}))
    else:
        for row in rows:
            print(f"{row['model']:32} {row['board']:14} {row['instructions']:>12,}")
        print("all bars met" if good else "a bar is MISSED: the boards' outputs differ")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
