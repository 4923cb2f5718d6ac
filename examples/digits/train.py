"""Train the digits classifier and export it: under 2 minutes on one CPU core.

    python examples/digits/train.py [OUT]

writes OUT/digits.onnx and OUT/digits.pt (the state dict); OUT is this folder unless given.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from model import build
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.data import digits

MEAN, STD = 0.5, 0.5
EPOCHS, BATCH = 60, 64


def to_input(pixels: NDArray[np.uint8]) -> Tensor:
    """Normalise frames [N, H, W, C] as `--mean 0.5 --std 0.5` does, and put the channels first."""
    return torch.from_numpy((pixels.transpose(0, 3, 1, 2) / 255.0 - MEAN) / STD).float()


def varied(images: Tensor) -> Tensor:
    """Rotate, scale and shift each image a little: what another hand would have written."""
    count = len(images)
    angle = (torch.rand(count) - 0.5) * 0.35
    scale = 1 + (torch.rand(count) - 0.5) * 0.2
    shift = (torch.rand(count, 2) - 0.5) * 0.25
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    across = torch.stack([cosine, -sine, shift[:, 0]], 1)
    down = torch.stack([sine, cosine, shift[:, 1]], 1)
    grid = nn.functional.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    black = -MEAN / STD
    return nn.functional.grid_sample(images - black, grid, align_corners=False) + black


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> None:
    steps = epochs * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            loss_of(model(varied(images[chosen])), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", default=Path(__file__).parent)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    data = digits.load()
    images, labels = to_input(data.pixels), torch.from_numpy(data.labels)
    model = build()
    train(model, images[data.train], labels[data.train], given.epochs)
    print(f"held-out accuracy {100 * accuracy(model, images[data.held_out], labels[data.held_out]):.2f} %")
    torch.save(model.state_dict(), out / "digits.pt")
    torch.onnx.export(
        model,
        (images[:1],),
        str(out / "digits.onnx"),
        input_names=["image"],
        output_names=["scores"],
        opset_version=20,
        dynamo=False,
    )
    print(f"wrote {out / 'digits.onnx'} ({(out / 'digits.onnx').stat().st_size} bytes)")


if __name__ == "__main__":
    main()
