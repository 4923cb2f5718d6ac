"""A process that is asked: it answers, and however it fails, that is an answer and leaves nothing behind."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.child import Child, ChildDiedError, ChildSilentError, Message

ANSWERS = """
import os, signal, sys, time
from edgekit.child import serve

def answer(head, body):
    match head["do"]:
        case "print":
            print("on stdout", flush=True)
            os.system("echo from another program; echo its error >&2")
        case "raise":
            raise RuntimeError("not like this")
        case "abort":
            print("the last words", file=sys.stderr, flush=True)
            os.abort()
        case "exit":
            os._exit(1)
        case "hang":
            open(__file__ + ".hangs", "w").close()
            time.sleep(600)
        case "pid":
            return {"pid": os.getpid()}, b""
        case "garble":
            os.write(garbled, b"\\xff" * 64)
    return {"length": len(body)}, body[::-1]

garbled = os.dup(1)
serve(answer)
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    """Return a way to run a module with a text in a process."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    def run(text: str = ANSWERS) -> Child:
        (tmp_path / "asked.py").write_text(text)
        return Child("asked")

    return run


def ask(child: Child, request: str, body: bytes = b"", timeout_s: float = 60.0) -> Message:
    return child.ask({"do": request}, body, timeout_s=timeout_s)


def pid_of(child: Child) -> int:
    return int(ask(child, "pid")[0]["pid"])


def start_of(child: Child) -> int:
    """Return the process's id without asking: where time is short, Python may not have started."""
    return child._running.pid


def is_there(pid: int) -> bool:
    """Whether a process exists, a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def soon(happens: Callable[[], bool]) -> bool:
    """Whether something happens that cannot be waited for otherwise."""
    for _ in range(1200):
        if happens():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 21) + 1])
def test_it_answers(start: Callable[..., Child], size: int) -> None:
    child = start()
    body = os.urandom(size)
    for _ in range(3):
        assert ask(child, "reverse", body) == ({"length": size}, body[::-1])
    child.close()


def test_what_it_prints_is_no_answer(start: Callable[..., Child]) -> None:
    child = start()
    assert child.words() == ""
    assert ask(child, "print", b"ab") == ({"length": 2}, b"ba")
    assert child.words() == "on stdout\nfrom another program\nits error"
    assert ask(child, "reverse", b"ab") == ({"length": 2}, b"ba")
    assert child.words() == ""
    child.close()


def test_an_exception_is_an_answer(start: Callable[..., Child]) -> None:
    child = start()
    assert ask(child, "raise")[0] == {"refused": "not like this"}
    assert ask(child, "reverse", b"ab")[1] == b"ba"
    child.close()


def test_a_crash_is_told_from_an_end_from_outside(start: Callable[..., Child]) -> None:
    child = start()
    pid = pid_of(child)
    with pytest.raises(ChildDiedError, match=r"SIGABRT\): the last words") as caught:
        ask(child, "abort")
    assert caught.value.crashed
    assert caught.value.exit_code == 7
    assert not is_there(pid)
    child = start()
    pid = pid_of(child)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ChildDiedError, match="SIGKILL") as caught:
        ask(child, "reverse", bytes(1 << 20))
    assert not caught.value.crashed
    assert not is_there(pid)


def test_a_module_that_cannot_start_says_why(start: Callable[..., Child]) -> None:
    child = start("import no_such_module")
    with pytest.raises(
        ChildDiedError, match=r"exit code 1\): ModuleNotFoundError: No module named"
    ) as caught:
        ask(child, "reverse")
    assert not caught.value.crashed


def test_an_answer_that_is_none(start: Callable[..., Child]) -> None:
    child = start()
    pid = pid_of(child)
    with pytest.raises(ChildDiedError, match="its answer is damaged"):
        ask(child, "garble")
    assert not is_there(pid)


def test_a_process_that_hangs_is_ended(start: Callable[..., Child]) -> None:
    child = start()
    pid = start_of(child)
    with pytest.raises(ChildSilentError, match=r"did not answer within 0\.7 s"):
        ask(child, "hang", timeout_s=0.7)
    assert not is_there(pid)


def test_a_process_that_does_not_listen_is_ended(start: Callable[..., Child]) -> None:
    # More than a pipe holds: it is the writing that waits.
    child = start("import time; time.sleep(600)")
    with pytest.raises(ChildSilentError):
        ask(child, "reverse", bytes(1 << 22), timeout_s=0.7)
    assert not is_there(start_of(child))


def test_a_stopped_process_is_ended(start: Callable[..., Child]) -> None:
    child = start()
    os.kill(start_of(child), signal.SIGSTOP)
    with pytest.raises(ChildSilentError):
        ask(child, "reverse", timeout_s=0.7)
    assert not is_there(start_of(child))


def test_it_ends_with_close_and_with_its_object(start: Callable[..., Child]) -> None:
    child = start()
    pid = pid_of(child)
    child.close()
    assert not is_there(pid)
    child.close()
    child = start()
    pid = pid_of(child)
    assert is_there(pid)
    del child
    gc.collect()
    assert not is_there(pid)


ASKER = """
import sys, time
from edgekit.child import Child
child = Child("asked")
print(child.ask({"do": "pid"}, timeout_s=60.0)[0]["pid"], flush=True)
time.sleep(600) if sys.argv[1] == "sleep" else child.ask({"do": sys.argv[1]}, timeout_s=float(sys.argv[2]))
"""


@pytest.fixture
def asker(
    tmp_path: Path, start: Callable[..., Child]
) -> Callable[..., tuple["subprocess.Popen[bytes]", int]]:
    """Return a way to start a program that waits for an answer; it returns the process that is asked, too."""
    (tmp_path / "asked.py").write_text(ANSWERS)

    def run(request: str, timeout_s: float = 60.0) -> tuple["subprocess.Popen[bytes]", int]:
        running = subprocess.Popen(
            [sys.executable, "-c", ASKER, request, str(timeout_s)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert running.stdout is not None
        return running, int(running.stdout.readline())

    return run


def test_ctrl_c_leaves_no_process(asker: Callable, tmp_path: Path) -> None:
    running, pid = asker("hang")
    assert soon((tmp_path / "asked.py.hangs").exists)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: both get it
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT
    assert not is_there(pid)


def test_it_ends_with_whoever_asks(asker: Callable) -> None:
    running, pid = asker("reverse")
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert not is_there(pid)


def test_it_does_not_outlive_a_killed_asker(asker: Callable) -> None:
    running, pid = asker("sleep")
    running.kill()
    running.communicate(timeout=60)
    assert soon(lambda: not is_there(pid))


def test_one_that_hangs_has_a_deadline_of_its_own(asker: Callable, tmp_path: Path) -> None:
    running, pid = asker("hang", timeout_s=3.0)
    assert soon((tmp_path / "asked.py.hangs").exists)
    running.kill()
    running.communicate(timeout=60)
    assert soon(lambda: not is_there(pid))
