"""The serial link's figures: goodput, damage survived, frames per second of a real process, code size.

    python benchmarks/link.py [--frames 100000] [--json]

Goodput is bytes of answered frames per byte that the line could have carried in the same time, on a virtual
clock paced to 921600 baud at 10 bits a byte, with the device's own C at the other end, a model of zero cost
and two frame buffers. Bars: 95 % clean and over the noisy line; no wrong prediction; every frame answered;
no packet that arrived whole ignored; under 2048 bytes of code.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# The simulator belongs to the tests.
sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("tests", ".")]

from link_simulator.code_size import code_bytes  # noqa: E402
from link_simulator.device import (  # noqa: E402
    INPUT_BYTES,
    SimulatedDevice,
    compile_device,
    compile_program,
    expected_scores,
)
from link_simulator.line import CLEAN, NOISY, Faults, Simulation  # noqa: E402

from edgekit.device.client import Device  # noqa: E402
from edgekit.device.transport import SocketTransport  # noqa: E402

BAR_GOODPUT = 0.95
BAR_CODE = 2048


def simulate(name: str, faults: Faults, frames: int, folder: Path) -> dict[str, Any]:
    device = SimulatedDevice(compile_device(folder / f"{name}.so"))
    simulation = Simulation(device, faults, seed=2026)
    resets = frozenset(range(frames // 4, frames, frames // 4)) if name == "reset" else frozenset()
    started = time.perf_counter()
    outcome = simulation.run(frames, INPUT_BYTES, expected_scores, reset_after=resets)
    statistics = simulation.session.statistics
    return {
        "name": name,
        "frames": outcome.frames,
        "goodput": round(outcome.goodput, 4),
        "wrong": outcome.wrong,
        "whole_packets_ignored": outcome.ignored_whole,
        "packets_damaged_to_device": simulation.down.damaged,
        "packets_damaged_to_host": simulation.up.damaged,
        "retransmissions": statistics.retransmissions,
        "questions": statistics.questions,
        "device_resets": outcome.device_resets,
        "receive_overflow": device.overflow,
        "virtual_s": round(outcome.seconds, 1),
        "wall_s": round(time.perf_counter() - started, 1),
    }


def measure_process(frames: int, folder: Path) -> dict[str, Any]:
    """Frames per second through a socket pair to the host board's process."""
    program = compile_program(folder / "firmware")
    ours, theirs = socket.socketpair()
    images = np.random.default_rng(1).integers(0, 256, (frames, 1, 1024, 3), np.uint8)
    with subprocess.Popen([program], stdin=theirs.fileno(), stdout=theirs.fileno()):
        theirs.close()
        with Device.open(SocketTransport(ours)) as device:
            started = time.perf_counter()
            link = [prediction.link_s for prediction in device.stream(images)]
            seconds = time.perf_counter() - started
    return {
        "frames_per_s": round(frames / seconds),
        "megabytes_per_s": round(frames * INPUT_BYTES / seconds / 1e6, 1),
        "link_ms_p50": round(1000 * float(np.percentile(link, 50)), 3),
        "link_ms_p95": round(1000 * float(np.percentile(link, 95)), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000, help="frames over the noisy line")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    flips = Faults(flip=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        links = [
            simulate("clean", CLEAN, max(100, options.frames // 20), Path(folder)),
            simulate("flips", flips, max(100, options.frames // 20), Path(folder)),
            simulate("reset", NOISY, max(100, options.frames // 20), Path(folder)),
            simulate("noisy", NOISY, options.frames, Path(folder)),
        ]
        process = measure_process(min(10_000, options.frames), Path(folder))
        sizes = {cpu: code_bytes(cpu, Path(folder)) for cpu in ("cortex_m0plus", "cortex_m4", "cortex_m55")}
    good = all(
        link["wrong"] == 0
        and link["whole_packets_ignored"] == 0
        and (link["goodput"] >= BAR_GOODPUT or link["name"] == "reset")
        for link in links
    )
    good = good and max(size["code"] for size in sizes.values()) <= BAR_CODE
    result = {"links": links, "process": process, "code_bytes": sizes, "ok": good}
    if options.json:
        print(json.dumps(result))
    else:
        for link in links:
            print(", ".join(f"{key} {value}" for key, value in link.items()))
        print("host process: " + ", ".join(f"{key} {value}" for key, value in process.items()))
        print(
            "the protocol, -Os, without a camera: "
            + ", ".join(f"{cpu} {size}" for cpu, size in sizes.items())
        )
        print("all bars met" if good else "a bar is MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
