"""Re-parameterisation: the merged convolution computes what its branches did."""

import pytest
import torch
from families.merge import Branches, Chain, merge
from torch import nn


def alive(module: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight.data, part.running_var):
                value.uniform_(0.5, 2.0)
            for value in (part.bias.data, part.running_mean):
                value.uniform_(-1.0, 1.0)
    return module.eval()


@pytest.mark.parametrize(
    "made",
    [
        lambda: Branches(6, 6, (3, 1)),
        lambda: Branches(6, 8, (3, 1), 2),
        lambda: Branches(6, 6, (5, 3, 3, 1), groups=6),
        lambda: Branches(6, 6, (3, 3), groups=2),
        lambda: Branches(6, 6, (3,), 2, groups=6, identity=False),
        lambda: Chain(6, 8, 3),
        lambda: Chain(6, 6, 1, 3),
    ],
)
@torch.no_grad()
def test_merging_changes_nothing_but_the_number_of_layers(made: type[nn.Module]) -> None:
    module = nn.Sequential(alive(made()), nn.ReLU())
    x = torch.randn(2, 6, 9, 9)
    expected = module(x)
    merge(module)
    assert isinstance(module[0], nn.Conv2d)
    assert torch.allclose(module(x), expected, atol=1e-4)
