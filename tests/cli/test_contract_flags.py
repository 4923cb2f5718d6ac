"""What a user says about a model's pixels and labels holds for every command alike."""

from collections.abc import Callable
from pathlib import Path

import pytest
import small_models

FLAGS = ("--mean", "0.4,0.5,0.6", "--std", "1,1,1", "--resize", "crop", "--labels", "a,b,c")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return the path of a model without a contract."""
    path = tmp_path / "foreign.tflite"
    path.write_bytes(small_models.classifier())
    return path


def test_the_same_flags_lead_from_flash_to_monitor(cli: Callable, foreign: Path, labelled: Path) -> None:
    assert cli("flash", "--model", foreign, *FLAGS).code == 0
    done = cli("monitor", "--model", foreign, "--source", labelled, *FLAGS, "--json")
    assert done.code == 0, done.err
    assert {line["label"] for line in done.lines if line["type"] == "prediction"} <= {"a", "b", "c"}
    assert cli("monitor", "--model", foreign, "--source", labelled).code == 11


def test_generate_takes_them_too(cli: Callable, foreign: Path, tmp_path: Path) -> None:
    assert cli("generate", foreign, "-o", tmp_path / "fw", *FLAGS).code == 0
    plain = cli("generate", foreign, "-o", tmp_path / "plain", "--json").json
    stated = cli("generate", foreign, "-o", tmp_path / "fw", *FLAGS, "--json").json
    assert stated["contract_digest"] != plain["contract_digest"]
    assert stated["model_digest"] == plain["model_digest"]


def test_prove_and_classify_take_them_too(cli: Callable, foreign: Path, frames: Path, tmp_path: Path) -> None:
    proven = cli("prove", "--model", foreign, "--random", 3, *FLAGS, "--json").json["certificate"]
    options = ("--input", frames, "--output", tmp_path / "y.npy", *FLAGS)
    classified = cli("classify", "--model", foreign, *options, "--json").json
    assert proven["contract_digest"] == classified["contract_digest"]


def test_a_project_file_says_it_for_all(cli: Callable, foreign: Path, labelled: Path) -> None:
    Path("edgekit.toml").write_text(
        'schema = 1\n[model]\noutput = "foreign.tflite"\nlabels = ["a", "b", "c"]\n'
        '[input]\nmean = [0.4, 0.5, 0.6]\nstd = [1, 1, 1]\n[data]\nsource = "test.npz"\n'
    )
    assert cli("flash").code == 0
    done = cli("monitor", "--json")
    assert done.code == 0, done.err
    assert done.lines[-1]["n"] == 10


def test_paced_frames_are_all_answered_and_pauses_count_for_nothing(
    cli: Callable, model: Path, labelled: Path
) -> None:
    assert cli("flash", "--model", model).code == 0
    done = cli("monitor", "--model", model, "--source", labelled, "--fps", 1000, "--json")
    assert done.code == 0, done.err
    assert done.lines[-1]["n"] == 10
