"""The device protocol, byte for byte, on each board that can run it."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import public_data
import pytest
from mlperf import boards
from mlperf.boards import BOARDS, CASES, Case, Talk, firmware
from mlperf.reference import HELP, mask

from edgekit import board
from edgekit.emulator import RunningBoard
from edgekit.oracle import Oracle

FRAME = bytes(range(0, 192))
RUN = [b"m-infer-start-1", b"m-lap-us-T", b"m-lap-us-T", b"m-infer-done"]


@pytest.fixture(params=BOARDS)
def board_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def case() -> Case:
    return CASES["pixels"]()


@pytest.fixture
def talk(case: Case, board_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """A board that has just booted. Its firmware must end in order."""
    folder = tmp_path_factory.getbasetemp() / f"firmware-{board_id}"  # built once
    with RunningBoard(firmware(case, folder, board_id), board.load(board_id)) as running:
        found = Talk(running.connect())
        found.answers(1)
        yield found
        assert found.silent(), "something was sent after m-ready"
    assert running.last_words() == ""


def lines(*texts: bytes | str) -> bytes:
    parts = (text.encode() if isinstance(text, str) else text for text in texts)
    return b"".join(part + b"\r\n" for part in (*parts, b"m-ready"))


def load(talk: Talk, data: bytes, piece: int = 31) -> list[bytes]:
    said = [talk.say(f"db load {len(data)}%")]
    return said + [talk.say(f"db {data[i : i + piece].hex()}%") for i in range(0, len(data), piece)]


def test_boot(case: Case, board_id: str, tmp_path: Path) -> None:
    with RunningBoard(firmware(case, tmp_path, board_id), board.load(board_id)) as running:
        talk = Talk(running.connect())
        said = talk.answers(1)
        assert mask(said) == lines("m-timestamp-mode-performance", "m-lap-us-T", "m-init-done")
        assert re.search(rb"m-lap-us-[0-9]+\r\n", said)
        assert talk.silent()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("name", ["m-name-dut-[edgekit]"]),
        ("timestamp", ["m-lap-us-T"]),
        ("profile", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[ic01]"]),
        ("help", HELP),
        ("", []),
        ("   ", []),
        (" name  now ", ["m-name-dut-[edgekit]"]),
        ("db load 192", ["m-[Expecting 192 bytes]"]),
        ("db load 1", ["m-[Expecting 1 bytes]"]),
        ("db load 193", ["Supplied buffer size 193 exceeds maximum of 192"]),
        ("db load 99999999999999", ["Supplied buffer size 2147483647 exceeds maximum of 192"]),
        ("db load 2147483648", ["Supplied buffer size 2147483647 exceeds maximum of 192"]),
        ("db print", []),
        ("db 00ff", []),
        ("db zz", []),
        ("results", ["m-results-[0.500,0.500,0.500]"]),
        ("nonsense", ["e-[Unknown command: nonsense]"]),
        ("NAME", ["e-[Unknown command: NAME]"]),
        ("names", ["e-[Unknown command: names]"]),
        ("\r\nname", ["e-[Unknown command: \r\nname]"]),
        ("x" * 80, [f"e-[Unknown command: {'x' * 80}]"]),
        ("x" * 81, [f"e-[Unknown command: {'x' * 80}]"]),
        ("x" * 5000, [f"e-[Unknown command: {'x' * 80}]"]),
        ("db", ["e-[Command 'db' requires a subcommand]"]),
        ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
        ("db load 0", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load -1", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load many", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db 0", ["e-[Insufficent number of hex digits]"]),
        ("db 00fff", ["e-[Insufficent number of hex digits]"]),
        ("db " + "00" * 39, ["e-[Insufficent number of hex digits]"]),
        ("infer 0", ["e-[Inference iterations must be >0]"]),
        ("infer -3 1", ["e-[Inference iterations must be >0]"]),
        ("infer many", ["e-[Inference iterations must be >0]"]),
        ("infer 1 -1", ["e-[Inference warmup must be >=0]"]),
    ],
)
def test_a_command_is_answered_byte_for_byte(talk: Talk, command: str, answer: list[str]) -> None:
    assert talk.say(f"{command}%") == lines(*answer)
    # And the next one finds the device as it was.
    assert talk.say("name%") == lines("m-name-dut-[edgekit]")


def test_input_in_pieces(talk: Talk) -> None:
    first, *middle, last = load(talk, FRAME)
    assert first == lines("m-[Expecting 192 bytes]")
    assert set(middle) == {lines()}
    assert last == lines("m-load-done")
    rows = [FRAME[i : i + 8] for i in range(0, 192, 8)]
    assert talk.say("db print%") == lines(*("m-buffer-" + row.hex("-") for row in rows))


def test_wrong_digits_and_surplus(talk: Talk) -> None:
    talk.say("db load 12%")
    assert talk.say("db 00aA0g11%") == lines("e-[Invalid hex digit '0g']")
    assert talk.say("db g0%") == lines("e-[Invalid hex digit 'g0']")
    # What stood before the wrong digit counts; digits after the last byte do not matter.
    assert talk.say("db FFeeDDcc00112233445566zz%") == lines("m-load-done")
    assert talk.say("db 77zz%") == lines()
    assert talk.say("db 7%") == lines("e-[Insufficent number of hex digits]")
    assert talk.say("db print%") == lines("m-buffer-00-aa-ff-ee-dd-cc-00-11", "m-buffer-22-33-44-55")
    # A new load begins at the front; one that fails leaves nothing to load.
    talk.say("db load 2%")
    assert talk.say("db 0102%") == lines("m-load-done")
    assert talk.say("db print%") == lines("m-buffer-01-02")
    talk.say("db load 9999%")
    assert talk.say("db 0909%db print%") == lines() + lines()


def test_infer_and_results(talk: Talk, case: Case) -> None:
    load(talk, FRAME)
    scores = f"m-results-[{','.join(case.scores(FRAME))}]"
    assert talk.say("infer 1 0%") == lines("m-warmup-start-0", "m-warmup-done", *RUN, scores)
    assert talk.say("infer%") == lines("m-warmup-start-10", "m-warmup-done", *RUN, scores)
    assert talk.say("infer 1%") == lines("m-warmup-start-10", "m-warmup-done", *RUN, scores)
    # A run destroys its input: many of them must still answer as one does.
    several = ["m-infer-start-7", *RUN[1:]]
    assert talk.say("infer 7 3%") == lines("m-warmup-start-3", "m-warmup-done", *several, scores)
    assert talk.say("results%") == lines(scores)
    assert talk.say("db print%").count(b"m-buffer-") == 24


def test_the_clock_goes_forward_and_brackets_the_runs(case: Case, board_id: str, tmp_path: Path) -> None:
    with RunningBoard(firmware(case, tmp_path, board_id), board.load(board_id)) as running:
        line = running.connect()
        talk = Talk(line)
        talk.answers(1)
        seen = []
        for runs in (1, 500):
            line.sendall(b"timestamp%" + f"infer {runs} 0%".encode() + b"timestamp%")
            laps = [int(lap) for lap in re.findall(rb"m-lap-us-([0-9]+)\r\n", talk.answers(3))]
            assert len(laps) == 4
            assert laps == sorted(laps)
            seen.append(laps[2] - laps[1])
        assert seen[1] > seen[0]


@pytest.mark.parametrize("name", sorted(CASES))
def test_random_frames_answer_as_the_oracle(name: str, board_id: str, tmp_path: Path) -> None:
    case = CASES[name]()
    chance = random.Random(4)
    with RunningBoard(firmware(case, tmp_path, board_id), board.load(board_id)) as running:
        talk = Talk(running.connect())
        talk.answers(1)
        for _ in range(20):
            frame = chance.randbytes(case.contract.input_bytes)
            assert load(talk, frame)[-1] == lines("m-load-done")
            expected = f"m-results-[{','.join(case.scores(frame))}]\r\nm-ready\r\n".encode()
            assert talk.say("infer 1 0%").endswith(expected)


@pytest.mark.parametrize(
    ("board_id", "compiler", "count"),
    [("host", "gcc", 20), ("host", "ziglang", 20), *((name, None, 2) for name in BOARDS if name != "host")],
)
def test_the_public_resnet_answers_as_the_oracle(
    anchor: Callable[[str], Path],
    public_folder: Path,
    tmp_path: Path,
    board_id: str,
    compiler: str | None,
    count: int,
) -> None:
    case = boards.public(anchor("ic01_resnet8_int8").read_bytes())
    frames, labels = public_data.cifar10(public_folder, "test", count)
    expected = Oracle(case.model).run((frames.astype(np.int16) - 128).astype(np.int8))
    image = firmware(case, tmp_path, board_id, compiler=compiler)
    with RunningBoard(image, board.load(board_id)) as running:
        talk = Talk(running.connect())
        talk.answers(1)
        assert talk.say("profile%").endswith(b"m-model-[ic01]\r\nm-ready\r\n")
        for frame, row in zip(frames, expected, strict=True):
            assert load(talk, frame.tobytes())[-1] == lines("m-load-done")
            assert f"m-results-[{','.join(case.texts(row))}]".encode() in talk.say("infer 1 0%")
    assert (expected.argmax(1) == labels).mean() > 0.8


def test_the_public_person_detector_answers_as_the_oracle(
    anchor: Callable[[str], Path], tmp_path: Path
) -> None:
    case = boards.public(anchor("vww01_mobilenetv1_025_96_int8").read_bytes())
    frame = random.Random(5).randbytes(27648)
    with RunningBoard(firmware(case, tmp_path, "host"), board.load("host")) as running:
        talk = Talk(running.connect())
        talk.answers(1)
        assert talk.say("db load 27649%") == lines("Supplied buffer size 27649 exceeds maximum of 27648")
        assert load(talk, frame)[-1] == lines("m-load-done")
        assert f"m-results-[{','.join(case.scores(frame))}]".encode() in talk.say("infer 2 1%")
