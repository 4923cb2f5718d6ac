"""`edgekit boards` and `doctor` say what the board files say, and it fits a terminal."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import board as boards
from edgekit import resources

HARDWARE = [name for name in boards.list_ids() if boards.load(name).emulator is None]


def test_the_list_is_a_table_of_100_columns(cli: Callable) -> None:
    done = cli("boards")
    head, *rows = done.out.splitlines()
    assert [row.split()[0] for row in rows] == list(boards.list_ids())
    assert max(map(len, [head, *rows])) <= 100
    for row in rows:
        item = boards.load(row.split()[0])
        state = head.index("state")
        assert row[state - 1] == " "
        assert row[state:] == boards.verification(item)
        method = row[head.index("flashed by") : state].strip()
        # What cannot run anywhere is not flashed either.
        assert method == ("-" if item.id == "arc_em9d" else item.flash.method)
        assert row[head.index("runtimes") : head.index("flashed by")].strip() == ",".join(item.build.runtimes)
    ram = {row.split()[0]: row[: head.index("RAM KiB") + 7].split()[1] for row in rows}
    v2 = boards.load("grove_vision_ai_v2").memory.ram_bytes
    assert (ram["host"], ram["arduino"], ram["grove_vision_ai_v2"]) == ("any", "any", f"{v2 // 1024:,}")


@pytest.mark.parametrize("name", HARDWARE)
def test_a_board_is_shown_in_words_and_numbers(cli: Callable, name: str) -> None:
    done = cli("boards", "show", name)
    assert done.code == 0
    assert not re.search(r"[{}]|<[A-Z]|None|True|False", done.out.split("needs:")[0]), done.out
    commands = re.findall(r"^(?:verify it|) +(edgekit .*)$", done.out, re.MULTILINE)
    assert commands == cli("boards", "show", name, "--json").json["verify"]
    assert commands[-1] == f"edgekit prove --board {name} --model MODEL --data DATA --port auto"
    if len(boards.load(name).build.runtimes) > 1:
        assert re.search(r"^  runtime_reason +our C is proven bit for bit", done.out, re.MULTILINE)


def test_a_board_that_runs_here_has_nothing_to_verify(cli: Callable) -> None:
    assert "verify it" not in cli("boards", "show", "host").out
    assert cli("boards", "show", "host", "--json").json["verify"] == []


def test_advice_of_several_lines_stays_in_its_column(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IDF_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for arguments in (("doctor", "--board", "xiao_esp32s3"), ("boards", "show", "xiao_esp32s3")):
        out = cli(*arguments).out.splitlines()
        first = next(i for i, line in enumerate(out) if "-> get it once:" in line)
        column = out[first].index("->") + 3
        assert all(line.startswith(" " * column) for line in out[first + 1 : first + 4])
        assert out[first + 1].strip().startswith("git clone")


def test_what_a_board_file_says_cannot_steer_a_terminal(cli: Callable, tmp_path: Path) -> None:
    text = (resources.boards() / "xiao_esp32s3.toml").read_text("utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace('boot_mode = "hold', 'boot_mode = "\\u001b[2J hold'), "utf-8")
    done = cli("boards", "show", mine)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "[2J hold" in done.out


def test_an_sdk_that_is_not_looked_for_does_not_count_as_found(cli: Callable) -> None:
    for name in ("grove_vision_ai", "grove_vision_ai_v2", "sensecap_a1101"):
        needs = cli("boards", "show", name, "--json").json["needs"]
        (found,) = [need for need in needs if need["name"].startswith("SDK")]
        assert (found["ok"], found["needed"], found["found"]) == (False, False, "not looked for")
        assert "--sdk" in found["hint"]
    # Its examples are compiled by Arduino's own tools, of which edgekit needs none.
    assert not any(n["name"].startswith("SDK") for n in cli("boards", "arduino", "--json").json["needs"])
