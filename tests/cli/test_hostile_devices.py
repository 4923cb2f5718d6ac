"""`monitor` with devices of no use behind a serial port, in real time: exit code, words, and Ctrl-C."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device.hostile_devices import Hello, Repeats
from device.test_hostile_sscma import ALL, Board, message
from hostile_line import Peer, on_terminal
from mlperf.test_hostile_firmware import Firmware

from edgekit import models


def hello_for_ever(model: Path) -> Peer:
    loaded = models.load_model(model)
    digests = (bytes.fromhex(loaded.contract.digest()), bytes.fromhex(loaded.digest))
    return Repeats(Hello(contract=digests[0], model=digests[1], outputs=loaded.contract.classes))


PEERS: dict[str, tuple[Callable[[Path], Peer], tuple[str, ...], str]] = {
    "edgekit": (hello_for_ever, (), r"questions about frames were sent, only [0-9]+ HELLO came back"),
    "mlperf_tiny": (
        lambda _: Firmware("profile", b"m-ready\r\n"),
        ("--protocol", "mlperf_tiny"),
        "no answer from /dev/.* to 'profile' .* other replies, the last 'm-ready'",
    ),
    "sscma": (
        lambda _: Board(ALL, message(1, "INVOKE") * 9, late=True),
        ("--protocol", "sscma", "--board", "xiao_esp32s3"),
        "no result from /dev/.* for 1 s; other messages: [0-9,]+",
    ),
}


def arguments(options: tuple[str, ...], model: Path, labelled: Path) -> list[str]:
    source = () if "sscma" in options else ("--model", str(model), "--source", str(labelled))
    return ["monitor", *options, *source]


@pytest.mark.parametrize(("peer", "options", "said"), PEERS.values(), ids=list(PEERS))
def test_it_is_given_up(
    cli: Callable[..., Any],
    model: Path,
    labelled: Path,
    peer: Callable[[Path], Peer],
    options: tuple[str, ...],
    said: str,
) -> None:
    with on_terminal(peer(model)) as port:
        done = cli(*arguments(options, model, labelled), "--port", port, "--timeout", "1")
    assert done.code == 10, done.err
    assert re.search(said, done.err), done.err
    assert "  try: " in done.err
    assert "bug in edgekit" not in done.err


@pytest.mark.parametrize(("peer", "options"), [case[:2] for case in PEERS.values()], ids=list(PEERS))
def test_ctrl_c_ends_the_wait(
    model: Path, labelled: Path, peer: Callable[[Path], Peer], options: tuple[str, ...]
) -> None:
    device, waits = peer(model), threading.Event()
    idle = device.idle

    def watched() -> None:
        idle()
        if device.out:  # it has begun to say the useless, so the command is waiting
            waits.set()

    device.idle = watched  # type: ignore[method-assign]
    with on_terminal(device) as port:
        command = [sys.executable, "-m", "edgekit", *arguments(options, model, labelled)]
        process = subprocess.Popen(
            [*command, "--port", port, "--timeout", "3600"], stderr=subprocess.PIPE, text=True
        )
        assert waits.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
