"""The public ResNet-8 on all 10,000 CIFAR-10 test images: our firmware against LiteRT, row by row.

    EDGEKIT_DATA=DIR python benchmarks/resnet8.py [--board host] [--count 10000] [--json]

On `host` every frame travels over the serial protocol as raw pixels; on emulated boards the frames go
past the serial line. Bar: every row equal to BUILTIN_REF's.
"""

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import public_data

from edgekit import board, data, models, quality
from edgekit.live.runner import runner
from edgekit.oracle import Oracle, oracle_version
from edgekit.percentiles import percentiles


def reference(task: tuple[bytes, np.ndarray]) -> np.ndarray:
    model, tensors = task
    return Oracle(model).run(tensors)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--board", default="host")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = public_data.root()
    if folder is None:
        print("set EDGEKIT_DATA to a folder with the public models and CIFAR-10", file=sys.stderr)
        return 2
    model = models.load_model(public_data.anchor(folder, "ic01_resnet8_int8"))
    frames, labels = public_data.cifar10(folder, "test", options.count)
    target = board.load(options.board)
    way = runner(target, model, timeout_s=60)
    answers = way.scores(frames)
    assert way.image is not None
    tensors = data.quantise(model.contract, frames)
    with multiprocessing.Pool() as pool:
        parts = [(model.data, part) for part in np.array_split(tensors, 64) if len(part)]
        theirs = np.concatenate(pool.map(reference, parts))
    times = percentiles(answers.invoke_ticks)
    assert times is not None
    result = {
        "board": target.id,
        "frames": len(frames),
        "rows_equal": int((answers.scores == theirs).all(axis=1).sum()),
        "oracle": oracle_version(),
        "top1_edgekit": quality.top_k(answers.scores, labels),
        "top1_litert": quality.top_k(theirs, labels),
        "compiler": way.image.compiler,
    }
    good = result["rows_equal"] == result["frames"]
    if options.json:
        print(json.dumps(result | {"ok": good}))
    else:
        print(f"{result['rows_equal']:,} of {result['frames']:,} rows equal to {result['oracle']}")
        print(f"top-1: edgekit {result['top1_edgekit']:.2%}, LiteRT {result['top1_litert']:.2%}")
        print(f"invoke p50: {times.p50:,.0f} {target.ticks.unit} ({result['compiler']})")
        print("all bars met" if good else "a bar is MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
