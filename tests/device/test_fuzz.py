"""Random and mutated packets against the device code, with sanitizers watching."""

from pathlib import Path

import pytest
from link_simulator.device import compile_fuzzer

from edgekit import process


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_fuzzer(tmp_path_factory.mktemp("fuzz") / "fuzz", TEST_OUTPUT_BYTES=600, EK_TRACE=1)


@pytest.mark.parametrize("seed", range(4))
def test_no_packet_breaks_the_device(fuzzer: Path, seed: int) -> None:
    taken, sent = map(int, process.run([str(fuzzer), str(seed), "6000"], timeout_s=120).split())
    assert taken > 1_000_000
    assert sent > 30_000  # it is alive and answers the valid ones
