"""Write the digits as two data sets that `edgekit quantize` and `edgekit monitor` read.

    python examples/digits/data.py OUT

makes OUT/calibration.npz (270 images) and OUT/test.npz (449 images that training never saw).
"""

import argparse
from pathlib import Path

import numpy as np

from edgekit.data import digits


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder to write into")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    data = digits.load()
    for name, indices in (("calibration", data.calibration), ("test", data.held_out)):
        path = out / f"{name}.npz"
        np.savez_compressed(path, images=data.pixels[indices], labels=data.labels[indices])
        print(f"{path}: {len(indices)} images")


if __name__ == "__main__":
    main()
