"""Compiled device code that several tests share."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from link_simulator.device import SimulatedDevice, compile_device, compile_program


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that compiles the device code with some definitions, once for each set of them."""
    made: dict[tuple[tuple[str, int], ...], Path] = {}

    def build(**defines: int) -> Path:
        key = tuple(sorted(defines.items()))
        if key not in made:
            made[key] = compile_device(tmp_path_factory.mktemp("device") / "device.so", defines=defines)
        return made[key]

    return build


@pytest.fixture
def make_device(build: Callable[..., Path], tmp_path: Path) -> Callable[..., SimulatedDevice]:
    """Return a function that makes a freshly started device."""
    count = 0

    def make(**defines: int) -> SimulatedDevice:
        nonlocal count
        count += 1
        # A loaded library is known by its file, and the device's state lives in it.
        return SimulatedDevice(shutil.copy(build(**defines), tmp_path / f"device{count}.so"))

    return make


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the device as a program: the host board's own port, the test's model."""
    return compile_program(tmp_path_factory.mktemp("program") / "firmware")
