"""Each next command that edgekit prints is pasted into a shell, in a folder with a space, and works."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import small_models
from cli.conftest import Done

from edgekit import resources

OWN = Path("my boards") / "mine.toml"
Paste = Callable[[str], Done]


@pytest.fixture(params=["host", "riscv_virt"])
def board(request: pytest.FixtureRequest, cli: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a board file of the user's own, in the current folder, whose name has a space."""
    assert cli  # it has made an empty folder the current one
    home = Path("my project")
    (home / OWN.parent).mkdir(parents=True)
    shutil.copy(resources.boards() / f"{request.param}.toml", home / OWN)
    monkeypatch.chdir(home)
    return OWN


@pytest.fixture
def data(labelled: Path) -> str:
    """Return how a shell reads the path of ten labelled frames."""
    shutil.copy(labelled, "my data.npz")
    return "'my data.npz'"


@pytest.fixture
def foreign() -> str:
    """Return the path of a model without a contract, which must be told again what its labels are."""
    Path("a model.tflite").write_bytes(small_models.classifier())
    Path("my labels.txt").write_text("cat\nthe dog\nfox\n", "utf-8")
    return "a model.tflite"


def following(done: Done) -> str:
    """Return the next command that a command has printed."""
    assert done.code == 0, done.err
    *_, line = done.out.splitlines()
    found = re.fullmatch("next: (.*)", line)
    assert found, done.out
    return found[1]


def test_from_generate_to_monitor(cli: Callable, paste: Paste, board: Path, model: Path, data: str) -> None:
    build = following(cli("generate", model, "--board", board, "-o", "out put"))
    flash = following(paste(build))
    monitor = following(paste(flash))
    assert monitor.endswith("--model MODEL --source DATA")
    shown = paste(monitor.replace("MODEL", str(model)).replace("DATA", data))
    assert "10 frames" in shown.out, shown.err


STATED = ("--labels", "my labels.txt", "--mean", "0.5", "--std", "0.25,0.5,0.25")


def test_what_was_said_of_a_model_is_said_again(
    cli: Callable, paste: Paste, board: Path, foreign: str, data: str
) -> None:
    flashed = cli("flash", "--board", board, "--model", foreign, *STATED, "--timeout", "60")
    shown = paste(following(flashed).replace("DATA", data))
    assert "10 frames" in shown.out, shown.err
    assert "the dog" in paste(following(flashed).replace("DATA", data) + " --confusion").out


def test_mlperf_tiny(cli: Callable, paste: Paste, board: Path, foreign: str, data: str) -> None:
    spoken = ("--protocol", "mlperf_tiny", "--mlperf-model", "ic01", "--mlperf-vendor", "A company")
    shown = paste(
        following(cli("flash", "--board", board, "--model", foreign, *spoken)).replace("DATA", data)
    )
    assert "10 frames" in shown.out, shown.err


def test_a_board_with_a_camera_watches_itself(cli: Callable, paste: Paste, board: Path, model: Path) -> None:
    monitor = following(cli("flash", "--board", board, "--model", model, "--camera"))
    shown = paste(f"{monitor} --count 2")
    assert "2 frames" in shown.out, shown.err


def test_a_project_file_says_the_rest(
    cli: Callable, paste: Paste, board: Path, model: Path, data: str
) -> None:
    assert cli("init", "--board", board).code == 0
    text = Path("edgekit.toml").read_text("utf-8")
    text = text.replace('# source = "test"', 'source = "my data.npz"')
    Path("edgekit.toml").write_text(text, "utf-8")
    shutil.copy(model, "model.tflite")
    monitor = following(paste(following(paste(following(cli("generate"))))))
    assert "MODEL" not in monitor
    assert "DATA" not in monitor
    assert "10 frames" in paste(monitor).out


def test_an_environment_is_written_out(
    cli: Callable, paste: Paste, board: Path, model: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("EDGEKIT_BOARD", str(board))
        environment.setenv("EDGEKIT_MODEL", str(model))
        monitor = following(cli("flash"))
    assert "10 frames" in paste(monitor.replace("DATA", data)).out


def test_init_of_another_folder(cli: Callable, paste: Paste, board: Path) -> None:
    done = paste(following(cli("init", "a new one")))
    # It stands in the new folder, and reads its edgekit.toml; the model is the user's to bring.
    assert done.code == 4
    assert "model.onnx" in done.err


def test_export(cli: Callable, paste: Paste, board: Path, foreign: str) -> None:
    made = cli("generate", foreign, "--board", "arduino", "-o", "for arduino", *STATED)
    exported = paste(following(made))
    assert exported.code == 0, exported.err
    assert b"the dog" in Path("EdgekitModel.zip").read_bytes()


@pytest.mark.parametrize(
    ("generated_for", "failing"),
    [
        (None, ("monitor", "--model", "m.tflite", "--source", "my data.npz")),
        (None, ("flash", "--no-build", "out put")),
        ("mine", ("flash", "--no-build", "out put")),
        ("mps2_an386", ("build", "out put")),
    ],
)
def test_hints(
    cli: Callable,
    paste: Paste,
    board: Path,
    model: Path,
    data: str,
    generated_for: str | None,
    failing: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert data
    monkeypatch.setenv("EDGEKIT_CACHE", "cache")  # nothing has been flashed
    shutil.copy(model, "m.tflite")
    if generated_for:
        other = board if generated_for == "mine" else generated_for
        assert cli("generate", model, "--board", other, "-o", "out put").code == 0
    failed = cli(*failing, "--board", board)
    *_, hint = re.findall(r"`(edgekit [^`]*)`", failed.err)
    done = paste(hint.replace("MODEL", "m.tflite"))
    assert done.code == 0, done.err


def test_a_board_that_runs_nowhere_is_not_flashed(cli: Callable, model: Path) -> None:
    assert cli("generate", model, "--board", "arc_em9d", "-o", "out").code == 0
    assert "next:" not in cli("build", "--board", "arc_em9d", "out").out
