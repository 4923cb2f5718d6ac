"""All families: each other module of this folder has VARIANTS, builders by name, and maybe SIZE and CHANNELS.

Weights are random with a fixed seed, then scaled by what comes through (Salimans and Kingma, Weight
normalization, 2016). A few batches in training mode give each batch norm the statistics of what really
comes in, so that activations are alive; then branches are merged, as they are before a real export.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from families.merge import merge
from torch import Tensor, nn

_NOT_FAMILIES = ("blocks", "catalogue", "line", "merge")
_BATCHES = 3
_OPSET = 20


@dataclass(frozen=True, slots=True)
class Family:
    """One network of a family, and how large its images are."""

    name: str
    module: str
    build: Callable[[], nn.Module]
    size: int
    channels: int


def families() -> dict[str, Family]:
    """Return every family by name, in the order of modules and of their variants."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in _NOT_FAMILIES or path.stem.startswith(("test_", "_", "conftest")):
            continue
        module = import_module(f"families.{path.stem}")
        for name, build in module.VARIANTS.items():
            size, channels = getattr(module, "SIZE", 96), getattr(module, "CHANNELS", 3)
            found[name] = Family(name, path.stem, build, size, channels)
    return found


def images(count: int, size: int, channels: int, seed: int = 0) -> np.ndarray:
    """Return uint8 frames [N, size, size, channels] of edges, slopes and a little noise."""
    rng = np.random.default_rng(seed)
    across = np.linspace(0.0, 1.0, size)
    y, x = np.meshgrid(across, across, indexing="ij")
    frames = np.empty((count, size, size, channels), np.uint8)
    for frame in frames:
        value = np.empty((size, size, channels))
        for channel in range(channels):
            a, b, c = rng.uniform(-1, 1, 3)
            value[..., channel] = 0.5 + 0.35 * (a * (x - 0.5) + b * (y - 0.5)) + 0.2 * c
        for _ in range(6):
            left, top, width, height = rng.uniform(0, 1, 4)
            inside = (abs(x - left) < width / 3) & (abs(y - top) < height / 3)
            value[inside] = 0.5 * value[inside] + 0.5 * rng.uniform(0, 1, channels)
        value += rng.normal(0, 0.02, value.shape)
        frame[:] = np.clip(np.rint(255 * value), 0, 255)
    return frames


@torch.no_grad()
def build(family: Family) -> nn.Module:
    """Return the network, alive, merged and ready for the export."""
    torch.set_num_threads(1)  # sums in the same order everywhere
    torch.manual_seed(0)
    module = family.build()
    for part in module.modules():
        if _has_weights(part):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.uniform_(part.bias, -0.1, 0.1)
        elif isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.uniform_(part.bias, 0.3, 0.9)
        elif isinstance(part, nn.LayerNorm):
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.uniform_(part.bias, -0.2, 0.2)
    module.train()
    hooks = [part.register_forward_hook(_scaled) for part in module.modules() if _has_weights(part)]
    module(_batch(family, 0))
    for hook in hooks:
        hook.remove()
    for number in range(1, _BATCHES + 1):
        module(_batch(family, number))
    return merge(module.eval())


def _has_weights(part: nn.Module) -> bool:
    return isinstance(part, nn.Conv2d | nn.Linear)


def _scaled(layer: Any, _inputs: Any, output: Tensor) -> Tensor:
    """Scale a layer's weights so that its outputs vary by 1 or less, and return such outputs."""
    last = isinstance(layer, nn.Linear)
    flat = output.reshape(-1, output.shape[-1]).T if last else output.transpose(0, 1).flatten(1)
    mean, deviation = flat.mean(1), flat.std(1)
    # Where nearly all is common to all inputs, the rest must not be blown up: it is the error of int8 too.
    deviation = torch.maximum(deviation, 0.3 * mean.abs()).clamp(min=0.1)
    layer.weight.data /= deviation.view(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is None:
        return output / (deviation if last else deviation.view(-1, 1, 1))
    layer.bias.data = (layer.bias - mean) / deviation
    shape = (-1,) if last else (-1, 1, 1)
    return (output - mean.view(shape)) / deviation.view(shape)


def _batch(family: Family, number: int) -> Tensor:
    pixels = images(24, family.size, family.channels, seed=100 + number)
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def export(family: Family) -> bytes:
    """Return the network as ONNX."""
    target = io.BytesIO()
    example = torch.zeros(1, family.channels, family.size, family.size)
    torch.onnx.export(
        build(family),
        (example,),
        target,
        input_names=["image"],
        output_names=["scores"],
        opset_version=_OPSET,
        dynamo=False,
    )
    return target.getvalue()
