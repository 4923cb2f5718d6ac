"""`--camera` and `--source board`, on the host's board, whose camera sees a moving pattern."""

import base64
from collections.abc import Callable
from pathlib import Path

import sights

from edgekit.firmware.sdk import esp_idf


def test_generate_says_what_it_was_asked_for(cli: Callable, model: Path) -> None:
    done = cli("generate", model, "--board", "xiao_esp32s3_sense", "--camera", "-o", "out", "--json")
    assert done.code == 0
    assert (done.json["camera"], done.json["external_memory"]) == (True, [])
    assert Path("out/main/camera.c").is_file()
    # Without the flag the same folder loses the camera's files.
    done = cli("generate", model, "--board", "xiao_esp32s3_sense", "-o", "out")
    assert done.out.endswith("next: edgekit build out --board xiao_esp32s3_sense\n")
    assert not Path("out/main/camera.c").exists()
    assert not Path("out/camera").exists()


def test_watches_what_the_board_sees(cli: Callable, model: Path) -> None:
    assert cli("flash", "--board", "host", "--camera", "--model", model).code == 0
    watch = ("monitor", "--board", "host", "--model", model, "--source", "board", "--count", "7")
    for more in ((), ("--frame-every", "2")):
        lines = cli(*watch, *more, "--json").lines
        assert [line["type"] for line in lines] == ["hello", *["prediction"] * 7, "summary"]
        assert lines[0]["has_camera"] is True
        assert [line["seq"] for line in lines[1:-1]] == list(range(7))
        assert {line["label"] for line in lines[1:-1]} <= {"cat", "dog", "bird"}
        assert all(line["capture"] >= 0 for line in lines[1:-1])
        frames = [None if line["frame"] is None else base64.b64decode(line["frame"]) for line in lines[1:-1]]
        every, shape = (2 if more else 8), lines[0]["input_shape"][1:]
        for number, frame in enumerate(frames):
            expected = sights.frame_of(sights.pattern(number), *shape[:2], sights.RED_FIRST).tobytes()
            wanted = bool(more) and number % every == 0
            assert frame == (expected if wanted else None)
        assert (lines[-1]["n"], lines[-1]["labelled"], lines[-1]["ok"]) == (7, 0, True)
    done = cli(*watch)
    assert done.code == 0
    assert done.out.count("invoke") == 8
    assert "7 frames in" in done.out


def test_firmware_without_a_camera(cli: Callable, model: Path) -> None:
    assert cli("flash", "--board", "host", "--model", model).code == 0
    done = cli("monitor", "--board", "host", "--model", model, "--source", "board")
    assert done.code == 10
    assert "built without a camera" in done.err
    assert "edgekit flash --camera" in done.err


def test_what_does_not_go_together(cli: Callable, model: Path, labelled: Path) -> None:
    watch = ("monitor", "--board", "host", "--model", model, "--source", "board")
    for wrong, said in (
        ((*watch, "--fps", "3"), "the board sets the pace"),
        ((*watch, "--confusion"), "nothing is labelled"),
        ((*watch, "--protocol", "mlperf_tiny"), "knows no camera"),
        ((*watch[:-1], labelled, "--frame-every", "2"), "needs --source board"),
        (("flash", "--board", "host", "--camera", "--no-build"), "leave out"),
        (("generate", model, "--board", "xiao_esp32s3", "--camera"), "has no camera"),
        (("generate", model, "--protocol", "mlperf_tiny", "--mlperf-model", "ic01", "--camera"), "no camera"),
    ):
        done = cli(*wrong)
        assert done.code == 2, wrong
        assert said in done.err


def test_building_for_an_esp32_without_esp_idf(
    cli: Callable, model: Path, tmp_path: Path, monkeypatch
) -> None:
    for name in ("IDF_PATH", "EDGEKIT_SDK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(esp_idf, "SYSTEM", tmp_path)
    assert cli("generate", model, "--board", "xiao_esp32s3", "-o", "out").code == 0
    done = cli("build", "out", "--board", "xiao_esp32s3")
    assert done.code == 7
    assert "no ESP-IDF was found" in done.err
    assert "install.sh esp32s3" in done.err
