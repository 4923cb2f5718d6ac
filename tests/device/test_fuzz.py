"""Random and mutated packets against the device code, with sanitizers watching."""

from pathlib import Path

import pytest
from link_simulator.device import compile_fuzzer

from edgekit import process


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_fuzzer(tmp_path_factory.mktemp("fuzz") / "fuzz", TEST_OUTPUT_BYTES=600, EK_TRACE=1)


@pytest.fixture(scope="module", params=[{}, {"TEST_INVOKE_FAILS": 5, "EK_FRAME_BUFFERS": 1}])
def with_camera(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fuzz") / "fuzz"
    return compile_fuzzer(out, TEST_OUTPUT_BYTES=600, EK_TRACE=1, EK_CAMERA=1, **request.param)


def fuzz(program: Path, seed: int) -> list[int]:
    """Return the bytes that went to the device and came from it, and the SEEN and PICTURE packets."""
    return [int(word) for word in process.run([str(program), str(seed), "6000"], timeout_s=120).split()]


@pytest.mark.parametrize("seed", range(4))
def test_no_packet_breaks_the_device(fuzzer: Path, seed: int) -> None:
    taken, sent, *of_camera = fuzz(fuzzer, seed)
    assert taken > 1_000_000
    assert sent > 30_000  # it is alive and answers the valid ones
    assert of_camera == [0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_no_packet_breaks_the_device_while_it_watches(with_camera: Path, seed: int) -> None:
    taken, _, seen, pictures = fuzz(with_camera, seed)
    assert taken > 1_000_000
    assert min(seen, pictures) > 50  # each failure ends a watch
