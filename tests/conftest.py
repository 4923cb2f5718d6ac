"""Fixtures that many tests share. EDGEKIT_DATA adds the public models; if it is set, their absence fails."""

from collections.abc import Callable
from pathlib import Path

import public_data
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew")


@pytest.fixture(scope="session")
def public_folder() -> Path:
    """Return the folder of public models and data; skips where EDGEKIT_DATA is not set."""
    folder = public_data.root()
    if folder is None:
        pytest.skip("EDGEKIT_DATA is not set")
    assert folder.is_dir(), f"EDGEKIT_DATA names '{folder}', which is not a folder"
    return folder


@pytest.fixture(scope="session")
def anchor(public_folder: Path) -> Callable[[str], Path]:
    """Return a function from a public model's name to its path."""
    return lambda name: public_data.anchor(public_folder, name)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests' builds and flashed images out of the user's own cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("EDGEKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    # Zig builds its own C library first, which takes some 10 s: once for all test runs.
    zig = Path(__file__).parents[1] / "build" / "zig"
    patch.setenv("ZIG_GLOBAL_CACHE_DIR", str(zig / "global"))
    patch.setenv("ZIG_LOCAL_CACHE_DIR", str(zig / "local"))
