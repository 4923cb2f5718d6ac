"""Which compiler is taken, and what is said when there is none."""

import os
from pathlib import Path

import pytest

from edgekit import board, install, toolchain
from edgekit.errors import ToolError

VARIABLES = ("EDGEKIT_CC_HOST", "CC", "EDGEKIT_CC_XTENSA")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH, but for the tools that the programs in it need."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def working(folder: Path, name: str) -> Path:
    """Make a compiler that says its name, and does its work with the real one."""
    real = toolchain.find("host", ("cc", "gcc", "clang")).command[0]
    path = f"PATH={os.path.dirname(real)}:/usr/bin:/bin"  # noqa: PTH120 - text for a shell
    return program(folder, name, f'[ "$1" = --version ] && echo "{name} 1.0" || {path} exec {real} "$@"')


def test_the_first_that_works_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        working(tmp_path, name)
    program(tmp_path, "broken", "exit 1")
    # Answers, as a compiler does whose C library is not installed, but cannot compile.
    program(tmp_path, "nolibc", '[ "$1" = --version ] && echo fine || { echo "no stdio.h"; exit 1; }')
    monkeypatch.setenv("PATH", str(tmp_path))
    found = toolchain.find("host", ("absent", "broken", "nolibc", "two", "one"))
    assert found == toolchain.Compiler((str(tmp_path / "two"),), "two 1.0", "PATH")


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {name: str(working(tmp_path, name)) for name in ("flag", "ours", "cc_variable", "listed")}
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert toolchain.find("host", ("listed",)).source == "PATH"
    monkeypatch.setenv("CC", f"{paths['cc_variable']} -O1")
    found = toolchain.find("host", ("listed",))
    assert (found.source, found.command) == ("CC", (paths["cc_variable"], "-O1"))
    monkeypatch.setenv("EDGEKIT_CC_HOST", paths["ours"])
    assert toolchain.find("host", ("listed",)).source == "EDGEKIT_CC_HOST"
    assert toolchain.find("host", ("listed",), paths["flag"]).version == "flag 1.0"


def test_cc_is_for_the_host_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    working(tmp_path, "cross")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert toolchain.find("xtensa", ("cross",)).version == "cross 1.0"
    monkeypatch.setenv("EDGEKIT_CC_XTENSA", "no-such-compiler")
    with pytest.raises(ToolError, match="'no-such-compiler' is not there"):
        toolchain.find("xtensa", ("cross",))


def test_a_relative_path_stays_right_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(tmp_path, "mine")
    monkeypatch.chdir(tmp_path)
    assert toolchain.find("host", (), "./mine").command == (str(tmp_path / "mine"),)


def test_one_that_was_named_must_work(tools: Path) -> None:
    program(tools, "bad", '[ "$1" = --version ] && echo bad || { echo "bad: no such flag"; exit 1; }')
    with pytest.raises(ToolError, match=r"cannot compile a small program(.|\n)*no such flag") as caught:
        toolchain.find("host", ("cc",), "bad")
    assert caught.value.exit_code == 7


def test_a_command_that_cannot_be_read() -> None:
    with pytest.raises(ToolError, match="--compiler is not a command"):
        toolchain.find("host", (), "'gcc")


@pytest.mark.usefixtures("tools")
def test_without_a_compiler_it_says_how_to_get_one() -> None:
    with pytest.raises(ToolError, match=r"no working C compiler for 'host'.*'cc' is not there") as caught:
        toolchain.find("host", ("cc", "gcc"))
    assert "apt-get install gcc" in caught.value.hint
    assert install.command("compiler") in caught.value.hint
    with pytest.raises(ToolError) as caught:
        toolchain.find("xtensa", ("xtensa-gcc",))
    assert "EDGEKIT_CC_XTENSA" in caught.value.hint


def test_a_missing_ziglang_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="'ziglang' is not installed"):
        toolchain.find("host", ("ziglang",))


def test_ziglang_works_and_keeps_its_caches_where_it_is_told() -> None:
    found = toolchain.find("host", ("ziglang",))
    assert found.version.startswith("clang version")
    assert found.extra_env == ()  # the tests' own setting stands


def test_ziglang_keeps_its_caches_with_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ZIG_GLOBAL_CACHE_DIR")
    monkeypatch.delenv("ZIG_LOCAL_CACHE_DIR")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    # Not run: with an empty cache that takes long.
    _, env = toolchain._zig(())
    assert dict(env) == {
        "ZIG_GLOBAL_CACHE_DIR": str(tmp_path / "zig" / "global"),
        "ZIG_LOCAL_CACHE_DIR": str(tmp_path / "zig" / "local"),
    }


def test_describe_examines_all(tools: Path) -> None:
    program(tools, "bad", "exit 1")
    findings = toolchain.describe("host", ("absent", "bad"))
    assert [(f.name, f.compiler) for f in findings] == [("absent", None), ("bad", None)]
    assert "is not there" in findings[0].problem
    assert "exit code 1" in findings[1].problem


def test_describe_shows_what_a_variable_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CC_HOST", "no-such-compiler -m32")
    host = board.load("host")
    assert host.build.compilers == toolchain.HOST
    first, second, *_ = toolchain.describe(host.soc.isa, host.build.compilers[:1])
    assert (first.name, first.source, first.compiler) == ("no-such-compiler -m32", "EDGEKIT_CC_HOST", None)
    assert second.compiler is not None
