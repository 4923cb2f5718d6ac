"""`monitor` on boards with Seeed's firmware, scripted, behind a serial port."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device.sscma_device import SscmaBoard, on_pty, stored
from PIL import Image

GENERATIONS = ("1.0.x", "2.0")


@pytest.fixture
def watch(cli: Callable) -> Callable:
    """Return a function that watches a scripted board."""

    def run(board: SscmaBoard, *arguments: object) -> Any:
        with on_pty(board) as port:
            done = cli(
                *("monitor", "--board", "xiao_esp32s3", "--protocol", "sscma", "--port", port),
                *("--timeout", "30", *arguments),
            )
        assert board.running is None or board.dead or done.code != 0
        return done

    return run


@pytest.mark.parametrize("generation", GENERATIONS)
def test_lines_of_json(watch: Callable, generation: str) -> None:
    done = watch(SscmaBoard(generation), "--count", 4, "--json")
    assert done.code == 0, done.out
    hello, *predictions, summary = done.lines
    assert hello == {
        "schema": 1,
        "type": "hello",
        "protocol": "sscma",
        "board": "xiao_esp32s3",
        "id": "7e2d02cf",
        "name": "Seeed Studio XIAO (ESP32-S3)",
        "firmware": "2025.02.11",
        "hardware": "1",
        "invoke_arguments": {"1.0.x": 3, "2.0": 2}[generation],
        "model": {
            "id": 1,
            "algorithm": "IMCLS",
            "address": 0x400000,
            "size": 267024,
            "name": "pets",
            "version": "1.2",
        },
        "labels": ["cat", "dog"],
        "labels_from": "board",
        "threshold": 50,
    }
    assert [line["seq"] for line in predictions] == [0, 1, 2, 3]
    assert all(line["type"] == "prediction" for line in predictions)
    assert {key: predictions[0][key] for key in ("label", "index", "score", "kind", "picture")} == {
        "label": "dog",
        "index": 1,
        "score": 73.0,
        "kind": "classes",
        "picture": None,
    }
    assert [result["label"] for result in predictions[0]["results"]] == ["dog", "cat"]
    assert [predictions[0][f"{name}_ms"] for name in ("preprocess", "invoke", "postprocess")] == [8, 365, 0]
    assert (predictions[0]["width"], predictions[0]["height"]) == (240, 160)
    assert set(predictions[0]) == {
        "type",
        "seq",
        "count",
        "kind",
        "index",
        "label",
        "score",
        "results",
        "preprocess_ms",
        "invoke_ms",
        "postprocess_ms",
        "width",
        "height",
        "rotation",
        "picture",
    }
    assert set(summary) == {
        "schema",
        "type",
        "ok",
        "error",
        "board",
        "n",
        "unit",
        "preprocess",
        "invoke",
        "postprocess",
        "frames_per_second",
        "pictures",
        "damaged_pictures",
        "lost_lines",
        "restarts",
        "warnings",
    }
    assert summary["type"] == "summary"
    assert (summary["n"], summary["ok"], summary["restarts"], summary["lost_lines"]) == (4, True, 0, 0)
    assert summary["invoke"] == {"min": 365, "p50": 365, "p95": 365, "max": 365}
    assert summary["unit"] == "milliseconds"


def test_text(watch: Callable) -> None:
    done = watch(SscmaBoard(), "--count", 2)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == ("board      Seeed Studio XIAO (ESP32-S3), id 7e2d02cf, SSCMA firmware 2025.02.11")
    assert lines[1] == "model      'pets' 1.2, IMCLS, number 1, 267,024 bytes at 0x400000"
    assert lines[2] == "labels     cat, dog (from: board)"
    assert lines[3].startswith("[    1] dog 73, cat 21 ")
    assert lines[3].endswith("  pre 8 ms, invoke 365 ms, post 0 ms")
    assert "invoke       min 365 ms, p50 365 ms, p95 365 ms, max 365 ms" in lines
    assert lines[-1].startswith("2 frames, ")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_grove_vision_ai_v2(watch: Callable, generation: str) -> None:
    done = watch(SscmaBoard(generation), "--board", "grove_vision_ai_v2", "--count", 1, "--json")
    assert done.code == 0, done.out
    assert done.lines[0]["board"] == done.lines[-1]["board"] == "grove_vision_ai_v2"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_picture_that_is_replaced(watch: Callable, generation: str) -> None:
    board = SscmaBoard(generation)
    done = watch(board, "--count", 3, "--picture", "now.jpg", "--json")
    assert done.code == 0, done.out
    assert Path("now.jpg").read_bytes() == board.picture
    assert Image.open(io.BytesIO(board.picture)).size == (48, 32)
    shown = {"path": "now.jpg", "bytes": len(board.picture), "width": 48, "height": 32}
    assert [line["picture"] for line in done.lines[1:-1]] == [shown] * 3
    assert [path.name for path in Path().iterdir()] == ["now.jpg"]


def test_a_folder_of_pictures(watch: Callable) -> None:
    board = SscmaBoard(raw_events={2: b"noise\n"})
    assert watch(board, "--count", 3, "--picture", "seen/").code == 0
    assert sorted(path.name for path in Path("seen").iterdir()) == [f"frame-00000{n}.jpg" for n in (1, 2, 3)]


def test_pictures_that_are_none_are_not_saved(watch: Callable) -> None:
    done = watch(SscmaBoard(picture=b"<html>"), "--count", 2, "--picture", "now.jpg", "--json")
    assert done.code == 0
    assert not Path("now.jpg").exists()
    assert (done.json["pictures"], done.json["damaged_pictures"]) == (0, 2)
    assert "no whole JPEG" in done.json["warnings"][0]


def test_a_picture_that_cannot_be_saved_is_known_before_the_board_is_asked(watch: Callable) -> None:
    board = SscmaBoard()
    Path("file").write_bytes(b"")
    done = watch(board, "--picture", "file/now.jpg")
    assert done.code == 7
    assert board.commands == []


def test_where_class_names_come_from(watch: Callable, model: Path) -> None:
    def labels(board: SscmaBoard, *arguments: object) -> tuple[list[str], str]:
        hello = watch(board, "--count", 1, "--json", *arguments).lines[0]
        return hello["labels"], hello["labels_from"]

    assert labels(SscmaBoard(), "--labels", "a,b") == (["a", "b"], "command line")
    assert labels(SscmaBoard(), "--model", model)[1] == "command line"
    assert labels(SscmaBoard(info="nonsense")) == ([], "numbers")
    Path("edgekit.toml").write_text(
        'schema = 1\n[model]\nlabels = ["x", "y"]\n[data]\nsource = "test"\n', "utf-8"
    )
    assert labels(SscmaBoard()) == (["cat", "dog"], "board")
    assert labels(SscmaBoard(info="")) == (["x", "y"], "edgekit.toml")


def test_a_model_that_does_not_suit_the_firmware_is_warned_of(watch: Callable, model: Path) -> None:
    done = watch(SscmaBoard(), "--model", model, "--count", 1, "--json")
    assert done.code == 0
    assert "height of 8 is no multiple of 32" in " ".join(done.json["warnings"])


def test_names_of_a_hostile_board_cannot_steer_the_terminal(watch: Callable) -> None:
    info = stored({"name": "\x1b]0;owned\x07", "classes": ["\x1b[2J", "d\u202eog\r\n"]})
    done = watch(SscmaBoard(info=info), "--count", 1)
    assert done.code == 0
    assert "dog 73, [2J 21" in done.out
    assert not set("\x1b\x07\r\u202e") & set(done.out + done.err)


def test_a_class_without_a_name_is_a_number(watch: Callable) -> None:
    done = watch(SscmaBoard(results={"classes": [[80, 7]]}), "--count", 1, "--json")
    assert (done.lines[1]["index"], done.lines[1]["label"]) == (7, "7")


def test_nothing_above_the_threshold(watch: Callable) -> None:
    board = SscmaBoard(results={"classes": []})
    done = watch(board, "--count", 1, "--threshold", 95)
    assert "(nothing above the threshold)" in done.out
    assert "threshold 50 -> 95; the board keeps it" in done.err
    assert board.threshold == 95


def test_a_detector_is_shown_by_class(watch: Callable) -> None:
    boxes = {"boxes": [[87, 83, 77, 65, 60, 0], [1, 2, 3, 4, 70, 1]]}
    done = watch(SscmaBoard(algorithm=3, results=boxes), "--count", 1, "--json")
    assert "no classifier (YOLOV5)" in done.json["warnings"][0]
    assert done.lines[1]["kind"] == "boxes"
    assert done.lines[1]["results"][0] == {"index": 1, "label": "dog", "score": 70.0, "place": [1, 2, 3, 4]}


def test_a_restart_is_told_and_counted(watch: Callable) -> None:
    done = watch(SscmaBoard(restart_at=(2,)), "--count", 2, "--json")
    assert done.code == 0
    assert done.json["restarts"] == 1
    assert "restarted; telling it to go on" in done.json["warnings"][0]


def test_a_board_without_a_model(watch: Callable) -> None:
    done = watch(SscmaBoard(has_model=False), "--json")
    assert done.code == 10
    error = done.json["error"]
    assert error["details"] == {"code": 10, "name": "no such entity"}
    assert "has no model" in error["hint"]


def test_a_board_with_another_firmware(watch: Callable) -> None:
    board = SscmaBoard(silent=frozenset({"ID?"}), between=b"edgekit here\n")
    done = watch(board, "--timeout", "0.3", "--json")
    assert done.code == 10
    assert "no answer" in done.json["error"]["message"]
    assert "SSCMA firmware" in done.json["error"]["hint"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "test/"], "the board's own camera is the only source of frames"),
        (["--source", "camera:0"], "--source is not for --protocol sscma"),
        (["--fps", "3"], "--fps is not for"),
        (["--confusion"], "--confusion is not for"),
        (["--performance", "3"], "--performance is not for"),
        (["--frame-every", "2"], "--frame-every is not for"),
        (["--mean", "0.5"], "the firmware prepares the frames itself"),
        (["--threshold", "0"], "threshold"),
        (["--threshold", "101"], "threshold"),
    ],
)
def test_options_that_mean_nothing(cli: Callable, arguments: list[str], said: str) -> None:
    done = cli("monitor", "--board", "xiao_esp32s3", "--protocol", "sscma", *arguments)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("arguments", [["--picture", "now.jpg"], ["--threshold", "5"]])
def test_options_of_sscma_alone(cli: Callable, arguments: list[str]) -> None:
    done = cli("monitor", "--board", "host", "--source", "camera:0", *arguments)
    assert done.code == 2
    assert "needs --protocol sscma" in done.err


@pytest.mark.parametrize("board", ["grove_vision_ai", "sensecap_a1101"])
def test_a_board_whose_firmware_has_no_serial_line(cli: Callable, board: str) -> None:
    done = cli("monitor", "--board", board, "--protocol", "sscma")
    assert done.code == 2
    assert "over I2C and WebUSB only" in done.err


def test_a_virtual_board(cli: Callable) -> None:
    done = cli("monitor", "--board", "host", "--protocol", "sscma")
    assert done.code == 2
    assert "virtual board" in done.err


def test_ctrl_c_ends_the_run_and_stops_the_board() -> None:
    board = SscmaBoard()
    with on_pty(board) as port:
        arguments = ["monitor", "--board", "xiao_esp32s3", "--protocol", "sscma", "--port", port, "--json"]
        process = subprocess.Popen([sys.executable, "-m", "edgekit", *arguments], stdout=subprocess.PIPE)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        lines += process.stdout.readlines()
        assert process.wait(timeout=60) == 130
    said = [json.loads(line) for line in lines]
    assert [line["type"] for line in said[:2]] == ["hello", "prediction"]
    assert [line["type"] for line in said[-2:]] == ["summary", "error"]
    assert said[-2]["ok"] is False
    assert said[-2]["n"] - (len(said) - 3) in (0, 1)  # the last may have been counted, but not shown
    assert board.commands[-1] == "BREAK"


def test_firmware_for_it_cannot_be_generated(cli: Callable, model: Path) -> None:
    assert cli("generate", model, "--protocol", "sscma").code == 2
