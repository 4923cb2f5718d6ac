"""The text of docs/reference/models.md, from what benchmarks/models.py found."""

import statistics
from typing import Any

from edgekit.oracle import oracle_version

_HEAD = """# Classifier families

Made by `python benchmarks/models.py`, which runs every family; a test compares the digest at the end with
the sources. The definitions are those of `tests/families`, written from the papers: narrow, so that a
microcontroller could hold them, with random weights whose activations are alive. Trained forms of several
branches (RepVGG, MobileOne, PP-LCNetV2, MobileNetV2-0.35-Rep) are merged before the export. [Which families
convert](../how-to/convert-your-architecture.md) says what to look out for.

Each was exported by PyTorch, quantised, generated as C, built for the board `host`, and run over its serial
line. *Rows equal* counts the frames for which every score is that of {oracle}; a quarter
of the frames are random numbers. The float scores after conversion are PyTorch's to 0.1 % of the largest, or
the conversion is refused. Accuracy is no subject here: random weights have none to lose.

"""
_COLUMNS = (
    "family",
    "input",
    "operators",
    "MACs",
    "parameters",
    "arena",
    "live",
    "TFLM arena",
    "ratio",
    "flash",
    "rows equal",
)
_LEGEND = """
- *operators*: of the int8 graph. *parameters*: of the float model as it is exported.
- *arena*: bytes of RAM with input, output and scratch. *live*: the largest sum of tensors and scratch that
  live at one operator; a plan in which an output lies over its input can go below it.
- *TFLM arena*: what tflite-micro's interpreter takes for the same file; *-* where it rejects it, with the
  reason below. *ratio*: arena over that.
- *flash*: weights, tables, steps and 24 KiB for code, as `edgekit inspect` estimates them.
"""


def render(found: list[dict[str, Any]], sources: str) -> str:
    """Return the page."""
    made = [row for row in found if "refused" not in row]
    refused = [row for row in found if "refused" in row]
    equal = sum(row["rows_equal"] == row["frames"] for row in made)
    ratios = [row["arena"] / row["tflm"] for row in made if row["tflm"]]
    parts = [
        _HEAD.format(oracle=oracle_version()),
        f"{equal} of {len(found)} networks convert and give equal rows. Arena over tflite-micro's: median "
        f"{statistics.median(ratios):.2f}, largest {max(ratios):.2f}, over the {len(ratios)} that it runs. "
        f"The largest took {max(row['plan_s'] for row in made):.3f} s to plan.\n\n",
        f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n",
        *(_row(row) for row in made),
        _LEGEND,
    ]
    if refused:
        parts.append("\n## Families that do not convert\n\n")
        parts += [f"- {row['name']}: {' '.join(row['refused'].split())}\n" for row in refused]
    rejected = [row for row in made if not row["tflm"]]
    if rejected:
        parts.append("\n## What tflite-micro says of those it rejects\n\n")
        parts += [f"- {row['name']}: `{row['tflm_reason']}`\n" for row in rejected]
    parts.append("\n## Operators\n\n| operator | networks that have it |\n|---|---|\n")
    kinds = sorted({kind for row in made for kind in row["kinds"]})
    for kind in kinds:
        names = [row["name"] for row in made if kind in row["kinds"]]
        listed = ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:6])} and {len(names) - 6} more"
        parts.append(f"| `{kind}` | {listed} |\n")
    parts.append(f"\n<!-- sources {sources} -->\n")
    return "".join(parts)


def summary(row: dict[str, Any]) -> str:
    """Return a line for the terminal."""
    if "refused" in row:
        return f"{row['name']:22} refused: {row['refused'][:160]}"
    ratio = f"{row['arena'] / row['tflm']:.2f}" if row["tflm"] else "-"
    return (
        f"{row['name']:22} {row['rows_equal']}/{row['frames']} equal, "
        f"arena {row['arena']:,} ({ratio} of TFLM), "
        f"{row['macs']:,} MACs, planned in {row['plan_s']} s"
    )


def _row(row: dict[str, Any]) -> str:
    cells = (
        row["name"],
        f"{row['size']}x{row['size']}",
        row["ops"],
        f"{row['macs']:,}",
        f"{row['parameters']:,}",
        f"{row['arena']:,}",
        f"{row['live']:,}",
        f"{row['tflm']:,}" if row["tflm"] else "-",
        f"{row['arena'] / row['tflm']:.2f}" if row["tflm"] else "-",
        f"{row['flash']:,}",
        f"{row['rows_equal']} of {row['frames']}",
    )
    return f"| {' | '.join(map(str, cells))} |\n"
