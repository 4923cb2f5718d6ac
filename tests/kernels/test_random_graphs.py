"""Random networks, every step against LiteRT: what shares memory, is folded or costs nothing stays right."""

from pathlib import Path

import pytest
import random_graphs
from generated_c import check_against_oracle

from edgekit import ops
from edgekit.graph import tflite


@pytest.mark.parametrize("seed", range(20))
def test_every_step_of_a_random_network_equals_the_oracle(seed: int, tmp_path: Path) -> None:
    check_against_oracle(random_graphs.graph(seed), tmp_path, 3)


def test_every_operator_is_drawn() -> None:
    found = {op.kind for seed in range(200) for op in tflite.parse(random_graphs.graph(seed)).ops}
    assert found == set(ops.supported())


def test_a_seed_is_one_model() -> None:
    assert random_graphs.graph(7) == random_graphs.graph(7) != random_graphs.graph(8)
