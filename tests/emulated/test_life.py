"""An emulator lives as long as its user, and no longer; a board that fails says why."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emulated.conftest import EXECUTED
from numpy.typing import NDArray

from edgekit import board, connection, pipeline
from edgekit.device.client import Device
from edgekit.emulator import RunningBoard, batch, ending
from edgekit.errors import DeviceError, FaultError, PortError, ToolError, UsageError
from edgekit.firmware import build
from edgekit.firmware.image import FirmwareImage
from edgekit.flash import process as installing
from edgekit.models import Model

Build = Callable[[str], FirmwareImage]
DEADLINE_S = 60.0


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([handle], [], [], DEADLINE_S)
        assert ready, f"process {pid} is still there after {DEADLINE_S:g} s"
    finally:
        os.close(handle)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_emulator_is_started_again(
    image: Build, model: Model, frames: NDArray[np.uint8], expected: NDArray[np.int8]
) -> None:
    name = "mps3_an547"
    notes: list[object] = []
    answers = []
    with connection.open_device(
        board.load(name), model=model, image=image(name), on_note=notes.append
    ) as device:
        for number, answer in enumerate(device.stream(iter(frames[:12]))):
            answers.append(answer.scores)
            if number == 4:
                (emulator,) = (
                    c for c in children(os.getpid()) if "qemu" in Path(f"/proc/{c}/comm").read_text()
                )
                os.kill(emulator, signal.SIGKILL)
        assert device.statistics.reconnections == 1
    assert np.array_equal(answers, expected[:12])
    assert notes


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_emulator_does_not_outlive_its_user(image: Build, end: signal.Signals) -> None:
    made = image("mps2_an386")
    script = f"""
import sys
from pathlib import Path
from edgekit.board import load
from edgekit.emulator import RunningBoard
from edgekit.firmware.image import FirmwareImage
with RunningBoard(FirmwareImage.load(Path({str(made.path.parent)!r})), load("mps2_an386")) as running:
    assert running.connect().recv(1) == bytes(1)
    print(running.pid, flush=True)
    sys.stdin.read()
"""
    user = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert user.stdin is not None
    assert user.stdout is not None
    with user.stdin, user.stdout:
        emulator = int(user.stdout.readline())
        assert os.getpgid(emulator) != os.getpgid(user.pid), "Ctrl-C must reach the user alone"
        user.send_signal(end)
        user.wait(DEADLINE_S)
    wait_until_gone(emulator)


def test_connecting_again_is_a_fresh_board(image: Build) -> None:
    with RunningBoard(image("riscv_virt"), board.load("riscv_virt")) as running:
        first = running.connect()
        before = running.pid
        second = running.connect()
        assert first.fileno() == -1
        assert second.recv(1) == bytes(1)
        assert running.pid != before
    assert running.exit_code() == -signal.SIGKILL
    assert running.last_words() == ""


@pytest.fixture
def emulate(image: Build, model: Model) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts `edgekit emulate`."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = "import sys; from edgekit.cli import main; main(sys.argv[1:])"
        return subprocess.Popen(
            [sys.executable, "-c", command, "emulate", "--model", str(model.path), "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize("arguments", [(), ("--pty",)])
@pytest.mark.parametrize("name", ["mps3_an547", "host"])
def test_emulate_serves_one_client_after_another(
    name: str,
    arguments: tuple[str, ...],
    emulate: Callable[..., subprocess.Popen[str]],
    model: Model,
    frames: NDArray[np.uint8],
    expected: NDArray[np.int8],
) -> None:
    with emulate("--board", name, *arguments) as running:
        assert running.stdout is not None
        said = json.loads(running.stdout.readline())
        assert said["port"].startswith("/dev/" if arguments else "socket://127.0.0.1:")
        for _ in range(2):
            with Device.open(said["port"], contract=model.contract, model_digest=model.digest) as device:
                answers = [answer.scores for answer in device.stream(iter(frames[:6]))]
                assert np.array_equal(answers, expected[:6])
        (emulator,) = children(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == 0
        wait_until_gone(emulator)


def test_emulate_takes_its_board_with_it_when_it_is_killed(
    emulate: Callable[..., subprocess.Popen[str]],
) -> None:
    with emulate("--board", "xtensa_kc705") as running:
        assert running.stdout is not None
        said = json.loads(running.stdout.readline())
        Device.open(said["port"]).close()
        (emulator,) = children(running.pid)
        running.kill()
        running.wait(DEADLINE_S)
        wait_until_gone(emulator)


def test_a_port_in_use(emulate: Callable[..., subprocess.Popen[str]]) -> None:
    from edgekit.emulator import bridge

    with bridge.listen("127.0.0.1", 0) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortError, match="cannot listen on"):
            bridge.listen(*taken.getsockname())
        with emulate("--board", "mps3_an547", "--listen", address) as running:
            out, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == PortError.exit_code
    assert address in json.loads(out)["error"]["message"]


FAULTS = {
    "an unknown instruction": "__builtin_trap();",
    "a store into nothing": "*(volatile uint32_t *)0xE8000000u = 1;",
    "a stack overflow": "(void)deep(1);",
}
DEEP = """
#include <stdint.h>
#pragma GCC diagnostic ignored "-Winfinite-recursion"
uint32_t deep(uint32_t n);
uint32_t deep(uint32_t n) {
    volatile uint32_t block[64];
    block[n & 63u] = n;
    return deep(n + block[n & 63u]) + block[1];
}
int main(void);
"""


def broken(model: Model, name: str, folder: Path, statement: str) -> FirmwareImage:
    """Build firmware that crashes as soon as it has answered a hello."""
    target = board.load(name)
    pipeline.generate_project(model, target, folder)
    main = (folder / "main.c").read_text()
    assert "int main(void);\n" in main
    assert "ek_app_poll();" in main
    main = main.replace("int main(void);\n", DEEP).replace("ek_app_poll();", f"ek_app_poll(); {statement}")
    (folder / "main.c").write_text(main)
    return build.build(folder, target)


@pytest.mark.parametrize("name", EXECUTED)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_crash_shows_the_registers(
    name: str, fault: str, model: Model, frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    made = broken(model, name, tmp_path, FAULTS[fault])
    with (
        pytest.raises(FaultError, match=rf"'{name}' has crashed:\nfault: (.|\n)*pc=[0-9a-f]{{8}}") as caught,
        connection.open_device(board.load(name), model=model, image=made) as device,
    ):
        list(device.stream(iter(frames)))
    assert caught.value.exit_code == 13
    assert "warning" not in caught.value.message


def test_a_crash_has_an_exit_code_of_its_own(
    model: Model, frames: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgekit.cli import _app

    target = board.load("mps3_an547")
    installing.flash(
        broken(model, target.id, tmp_path / "out", FAULTS["a stack overflow"]), target, None, None
    )
    np.savez(tmp_path / "x.npz", images=frames)
    arguments = [
        "monitor",
        "--board",
        target.id,
        "--model",
        model.path,
        "--source",
        tmp_path / "x.npz",
        "--json",
    ]
    assert _app._run([str(argument) for argument in arguments]) == 13
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["error"]["id"] == "fault"
    assert "pc=" in said["error"]["message"]


def test_a_crash_in_a_batch(model: Model, frames: NDArray[np.uint8], tmp_path: Path) -> None:
    target = board.load("riscv_virt")
    pipeline.generate_project(model, target, tmp_path)
    source = tmp_path / "batch.c"
    source.write_text(
        source.read_text().replace("    get(frames, frame", "    __builtin_trap();\n    get(frames, frame")
    )
    made = build.build(tmp_path, target)
    with pytest.raises(FaultError, match="mcause=00000003"):
        batch.run(made, target, frames, 3)


def test_firmware_that_hangs_is_given_up(model: Model, frames: NDArray[np.uint8], tmp_path: Path) -> None:
    made = broken(model, "mps2_an500", tmp_path, "for (;;) {}")
    target = board.load("mps2_an500")
    with (
        pytest.raises(DeviceError, match="silent"),
        connection.open_device(target, model=model, image=made, timeout_s=5.0) as device,
    ):
        list(device.stream(iter(frames)))
    source = tmp_path / "batch.c"
    source.write_text(
        source.read_text().replace("    get(frames, frame", "    for (;;) {}\n    get(frames, frame")
    )
    made = build.build(tmp_path, target)
    with pytest.raises(DeviceError, match=r"no answer for 0\.5 s"):
        batch.run(made, target, frames, 3, timeout_s=0.5)


def test_a_batch_of_another_model_is_refused(image: Build, frames: NDArray[np.uint8]) -> None:
    target = board.load("mps2_an386")
    with pytest.raises(DeviceError, match="not one that this firmware writes"):
        batch.run(image("mps2_an386"), target, frames, classes=4)
    with pytest.raises(ToolError, match=r"cannot read edgekit-frames\.bin"):
        batch.run(image("mps2_an386"), target, frames[:, :7], classes=3)
    with pytest.raises(UsageError, match="at least one frame"):
        batch.run(image("mps2_an386"), target, frames[:0], classes=3)
    with pytest.raises(UsageError, match="does not run in QEMU"):
        batch.run(image("mps2_an386"), board.load("host"), frames, classes=3)


def test_a_board_that_cannot_be_run(image: Build) -> None:
    target = board.load("arc_em9d")
    assert not ending.in_qemu(target)
    with pytest.raises(UsageError, match="compiled and linked only"):
        RunningBoard(image("arc_em9d"), target)
