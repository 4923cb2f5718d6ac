"""External tools: their output, their failure, their absence."""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgekit import process
from edgekit.errors import ToolError


def test_output_holds_both_streams_in_order() -> None:
    script = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); print('three')"
    assert process.run([sys.executable, "-c", script]) == "one\ntwo\nthree\n"


def test_folder_environment_and_empty_stdin(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['X'], repr(sys.stdin.read()))"
    said = process.run([sys.executable, "-c", script], cwd=tmp_path, env={"X": "y"})
    assert said == f"{tmp_path} y ''\n"


def test_failure_shows_the_last_lines() -> None:
    script = "import sys; [print(i) for i in range(100)]; sys.exit(3)"
    with pytest.raises(ToolError, match="failed with exit code 3") as caught:
        process.run([sys.executable, "-c", script], hint="do this")
    lines = caught.value.message.splitlines()
    assert lines[1] == "80"
    assert lines[-1] == "99"
    assert caught.value.hint == "do this"
    assert caught.value.exit_code == 7


def test_output_that_is_not_utf8_is_no_obstacle() -> None:
    assert process.run([sys.executable, "-c", "import os; os.write(1, b'\\xff!')"]) == "\ufffd!"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolError, match="'no-such-tool' was not found") as caught:
        process.run(["no-such-tool"], hint="install it")
    assert caught.value.hint == "install it"
    assert process.find("no-such-tool") is None


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("text")
    with pytest.raises(ToolError, match="'tool' cannot be run: Permission denied"):
        process.run([str(tmp_path / "tool")])


def test_a_program_that_does_not_end() -> None:
    with pytest.raises(ToolError, match=r"did not end within 0\.2 s"):
        process.run([sys.executable, "-c", "import time; time.sleep(600)"], timeout_s=0.2)


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    grandchild = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    script = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild + '; time.sleep(600)'!r}],\n"
        "    stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(started)]
    with pytest.raises(ToolError, match="did not end within 5 s"):
        process.run(command, timeout_s=5)
    assert_gone(int(started.read_text()))
    seen: list[str] = []

    def interrupt(line: str) -> bool:
        seen.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.stream(command, interrupt, patience_s=60)
    assert_gone(int(seen[0]))


def assert_gone(pid: int) -> None:
    """Whoever reaps it may take a moment."""
    end = time.monotonic() + 60
    while "State:\tZ" not in (status(pid) or "State:\tZ"):
        assert time.monotonic() < end
        time.sleep(0.01)


def status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def test_an_interrupt_ends_what_other_threads_run(tmp_path: Path) -> None:
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(process.run, [sys.executable, "-c", script, str(tmp_path / "on")])
        while not (tmp_path / "on").exists():
            time.sleep(0.01)
        process.interrupt()
        with pytest.raises(ToolError, match="failed with exit code"):
            done.result(60)


def test_of_endless_output_the_last_is_kept() -> None:
    script = "import os\nfor _ in range(40): os.write(1, b'x' * (1 << 20))\nprint('the end')"
    output = process.run([sys.executable, "-c", script])
    assert output.endswith("xthe end\n")
    assert len(output) <= 16 << 20


def test_nothing_goes_through_a_shell(tmp_path: Path) -> None:
    script = "import sys; print(sys.argv[1])"
    assert process.run([sys.executable, "-c", script, "$(touch x); *"], cwd=tmp_path) == "$(touch x); *\n"
    assert list(tmp_path.iterdir()) == []


def test_lines_are_handed_on_while_the_program_runs() -> None:
    # It goes on only when its first line was seen, and its "pipe" is a file that this makes.
    script = (
        "import os, sys, time\n"
        "os.write(1, b'one\\rtwo\\r\\n\\nth'); os.write(2, b'ree \\xc3')\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
        "os.write(1, b'\\xa4\\nlast'); sys.exit(5)"
    )
    with tempfile.TemporaryDirectory() as folder:
        seen: list[str] = []

        def on_line(line: str) -> bool:
            seen.append(line)
            if line == "two":
                (Path(folder) / "go").touch()
            return True

        command = [sys.executable, "-c", script, str(Path(folder) / "go")]
        assert process.stream(command, on_line, patience_s=60) == 5
    assert seen == ["one", "two", "three ä", "last"]


def test_a_program_that_falls_silent_is_stopped(tmp_path: Path) -> None:
    script = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
    seen: list[str] = []
    with pytest.raises(process.StuckToolError, match=r"came no further for 0\.5 s and was stopped"):
        process.stream([sys.executable, "-c", script], lambda line: seen.append(line) or True, patience_s=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen[0]), 0)


def test_a_program_that_talks_on_and_comes_no_further_is_stopped() -> None:
    # It writes faster than its lines are read, and one of them has no end.
    script = (
        "import os\n"
        "print(os.getpid(), flush=True)\n"
        "while True: os.write(1, b'Connecting...\\n' * 9 + b'x' * 99)"
    )
    seen: list[str] = []

    def on_line(line: str) -> bool:
        seen.append(line)
        return len(seen) == 1

    with pytest.raises(process.StuckToolError, match=r"came no further for 0\.3 s"):
        process.stream([sys.executable, "-c", script], on_line, patience_s=0.3)
    assert "Connecting..." in seen
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen[0]), 0)


def test_what_is_raised_over_a_line_stops_the_program() -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"

    def interrupt(line: str) -> bool:
        seen.append(line)
        raise KeyboardInterrupt

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        process.stream([sys.executable, "-c", script], interrupt, patience_s=60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen[0]), 0)


def test_lines_that_were_on_their_way_are_handed_on_too() -> None:
    # All three are in the pipe before the first is looked at, which an interruption ends.
    script = "import os, time; os.write(1, b'one\\ntwo\\nthree'); time.sleep(600)"

    def interrupt(line: str) -> bool:
        seen.append(line)
        if line == "one":
            raise KeyboardInterrupt
        return False

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        process.stream([sys.executable, "-c", script], interrupt, patience_s=60)
    assert seen == ["one", "two", "three"]


def test_a_missing_program_cannot_be_streamed() -> None:
    with pytest.raises(ToolError, match="'no-such-tool' was not found"):
        process.stream(["no-such-tool"], lambda _: False, patience_s=60)
