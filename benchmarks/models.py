"""Every classifier family through the whole line, and docs/reference/models.md from what was found.

    python benchmarks/models.py [--frames 24] [--json] [FAMILY ...]

Each family is exported, quantised, generated, built for the host board and held against LiteRT's BUILTIN_REF.
What was done already with the same sources is taken from build/families, so a run can stop and go on. With
names only those families run and no page is written.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import models_page
import tflm_arena
from families import catalogue, line

from edgekit import board, inspection, models, ops
from edgekit.codegen import budget, generator, planner
from edgekit.codegen.views import without_copies
from edgekit.errors import EdgekitError
from edgekit.files import write_whole
from edgekit.graph import tflite

CACHE = line.ROOT / "build" / "families"
PAGE = line.ROOT / "docs" / "reference" / "models.md"


def convert(family: catalogue.Family) -> tuple[Path | None, dict[str, Any]]:
    """Return the int8 file, or None, and what is known from its making."""
    stem = CACHE / f"{_slug(family.name)}-{line.material(family)[:16]}"
    target, known = stem.with_suffix(".tflite"), stem.with_suffix(".json")
    if known.exists():
        about = json.loads(known.read_text())
        return (target if target.exists() else None), about
    parameters = sum(part.numel() for part in catalogue.build(family).parameters())
    about = {"name": family.name, "module": family.module, "size": family.size, "parameters": parameters}
    try:
        made = line.convert(family)
    except EdgekitError as error:
        write_whole(known, json.dumps(about | {"refused": error.message}).encode())
        return None, about | {"refused": error.message}
    write_whole(target, made.data)
    about |= {"snr_db": made.snr_db, "kinds": dict(made.operators), "file_bytes": len(made.data)}
    write_whole(known, json.dumps(about).encode())
    return target, about


def measure(path: Path, family: catalogue.Family, count: int) -> dict[str, Any]:
    """Return every figure of a family that converted."""
    graph = tflite.read(path)
    try:
        steps = ops.lower(graph)
    except EdgekitError as error:
        return {"refused": error.message}
    begin = time.process_time()
    planner.plan(graph, without_copies(graph, steps))
    seconds = time.process_time() - begin
    model = models.load_model(path)
    generated = generator.generate(graph, model.contract)
    figures = inspection.of_steps(graph, steps, planner.plan(graph, steps))
    flash = budget.estimate(generated, board.load("host")).flash
    tflm, reason = tflm_arena.measure(path)
    rows = line.run(path, line.frames(family, count))
    return {
        "ops": len(graph.ops),
        "steps": len(steps),
        "macs": generated.macs,
        "arena": generated.arena_bytes,
        "live": max(layer.live_bytes for layer in figures.layers),
        "weights": generated.weight_bytes,
        "flash": flash.needed,
        "tflm": tflm,
        "tflm_reason": reason,
        "plan_s": round(seconds, 3),
        "frames": rows.frames,
        "rows_equal": rows.equal,
        "rows_distinct": rows.distinct,
    }


def result(family: catalogue.Family, sources: str, count: int) -> dict[str, Any]:
    """Return all that is known of a family, from the cache if it was found with the same sources."""
    path, about = convert(family)
    if path is None:
        return about
    known = CACHE / f"{_slug(family.name)}-{sources[:16]}-{count}.json"
    if known.exists():
        return about | json.loads(known.read_text())
    found = measure(path, family, count)
    write_whole(known, json.dumps(found).encode())
    return about | found


def _slug(name: str) -> str:
    return name.lower().replace(" ", "_").replace(".", "_")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="FAMILY")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    known = catalogue.families()
    if unknown := sorted(set(options.names) - known.keys()):
        print(f"no family {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    CACHE.mkdir(parents=True, exist_ok=True)
    sources = line.digest(line.SOURCES)
    found = []
    for name in options.names or known:
        row = result(known[name], sources, options.frames)
        found.append(row)
        print(models_page.summary(row), file=sys.stderr, flush=True)
    good = all(row.get("rows_equal") == row.get("frames") for row in found if "refused" not in row)
    ratios = [row["arena"] / row["tflm"] for row in found if row.get("tflm")]
    if options.json:
        print(json.dumps({"families": found, "median_ratio": statistics.median(ratios or [0]), "ok": good}))
    if not options.names:
        write_whole(PAGE, models_page.render(found, sources).encode())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
