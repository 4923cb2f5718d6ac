"""A change that makes a run of the network longer by more than 1 % does not pass unseen.

The counts stand in pins.json, with the compilers that they are of. `pytest tests/bench/test_pins.py
--update-golden` (with EDGEKIT_DATA, for all models) writes it anew. For other compilers, whose counts differ,
the limit is 25 %.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import small_models

from edgekit import board, models, proof
from edgekit.bench import measure
from edgekit.bench.result import Method

PINS = Path(__file__).parent / "pins.json"
BOARDS = ("mps3_an547", "mps2_an386", "riscv_virt", "xtensa_kc705")
PUBLIC = ("ic01_resnet8_int8", "vww01_mobilenetv1_025_96_int8")
MODELS = ("classifier", *PUBLIC)
FRAMES = 3
SEED = 11


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name: str = request.param
    if name in PUBLIC:
        found: Path = request.getfixturevalue("anchor")(name)
        return found
    made = tmp_path / f"{name}.tflite"
    made.write_bytes(small_models.classifier())
    return made


@pytest.mark.parametrize("target", BOARDS)
@pytest.mark.parametrize("path", MODELS, indirect=True)
def test_a_run_takes_no_more_instructions_than_it_did(
    path: Path, target: str, request: pytest.FixtureRequest
) -> None:
    model = models.load_model(path)
    found = measure.measure(model, board.load(target), proof.random_frames(model.contract, FRAMES, SEED))
    assert found.method is Method.PLUGIN, found.notes
    assert found.instructions_highest is not None
    pins: dict[str, Any] = json.loads(PINS.read_text()) if PINS.is_file() else {}
    if request.config.getoption("--update-golden"):
        pins.setdefault(target, {}).setdefault("compiler", found.compiler)
        pins[target]["compiler"] = found.compiler
        pins[target].setdefault("instructions", {})[path.stem] = found.instructions_highest
        PINS.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
    pinned = pins[target]["instructions"][path.stem]
    allowed = 1.01 if found.compiler == pins[target]["compiler"] else 1.25
    assert found.instructions_highest <= allowed * pinned, (
        f"{path.stem} on {target} took {pinned:,} instructions with {pins[target]['compiler']}, and takes "
        f"{found.instructions_highest:,} with {found.compiler}; if that is meant: --update-golden"
    )
