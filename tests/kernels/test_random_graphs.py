"""Random networks, every step against LiteRT: what shares memory, is folded or costs nothing stays right."""

from pathlib import Path

import pytest
import random_graphs
from generated_c import check_against_oracle


@pytest.mark.parametrize("seed", range(20))
def test_every_step_of_a_random_network_equals_the_oracle(seed: int, tmp_path: Path) -> None:
    check_against_oracle(random_graphs.graph(seed), tmp_path, 3)
