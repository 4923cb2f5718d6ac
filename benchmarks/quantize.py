"""CPU seconds of quantising a ResNet-8 with 256 images, the whole process and its imports counted.

    python benchmarks/quantize.py [--json]

The weights are random and the images synthetic: neither changes the work. Bar: 15 s.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

BAR_S = 15.0
IMAGES = 256

QUANTIZE = """
import sys
from pathlib import Path
from edgekit import data
from edgekit.contract import Color, preprocessing
from edgekit.convert import load, quantize, recipe

folder = Path(sys.argv[1])
model = load.load_model(folder / "resnet8.onnx")
wanted = recipe.Recipe(preprocessing(Color.RGB, mean=[0.5], std=[0.25]))
frames = data.frames(data.load(folder / "images.npz"), wanted.preprocess, model.size)
made = quantize.quantize(model, frames.pixels, wanted)
(folder / "resnet8.tflite").write_bytes(made.data)
print(len(made.data), made.images, made.macs, round(made.snr_db, 1))
"""


def write_model(path: Path) -> None:
    import torch
    from torch import Tensor, nn

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
        )

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(conv(inputs, outputs, 3, stride), nn.ReLU(), conv(outputs, outputs, 3))
            self.skip = nn.Identity() if stride == 1 else conv(inputs, outputs, 1, stride)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.body(x) + self.skip(x))

    torch.manual_seed(0)
    stem = nn.Sequential(conv(3, 16, 3), nn.ReLU())
    blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
    model = nn.Sequential(stem, blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()
    warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that is a tenth as slow
    torch.onnx.export(model, (torch.zeros(1, 3, 32, 32),), str(path), opset_version=20, dynamo=False)


def write_images(path: Path) -> None:
    """Smooth random images: blocks of 4x4 pixels, so that they are not taken for random numbers."""
    coarse = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 8, 3), dtype=np.uint8)
    np.savez(path, images=coarse.repeat(4, axis=1).repeat(4, axis=2))


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "resnet8.onnx")
        write_images(folder / "images.npz")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", QUANTIZE, str(folder)], check=True, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size, images, macs, snr = done.stdout.split()
    if as_json:
        print(json.dumps({"name": "quantize_resnet8_cpu_s", "value": round(cpu, 2), "bar": BAR_S}))
    else:
        print(f"quantised ResNet-8 ({macs} MACs) with {images} images: {size} bytes, SNR {snr} dB")
        print(f"{cpu:.1f} s of CPU, peak memory {after.ru_maxrss // 1024} MB (bar: {BAR_S:g} s)")
    return 0 if cpu < BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
