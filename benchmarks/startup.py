"""Time of `edgekit --help`, and CPU seconds of `edgekit generate` on ResNet-8, as whole processes.

    EDGEKIT_DATA=DIR python benchmarks/startup.py [--json]

Times are of a warm start: Python's compiled files exist. Bars: 150 ms of wall time, 1 s of CPU.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import public_data

RUNS = 11
HELP_BAR_S, GENERATE_BAR_S = 0.150, 1.0


def run(*arguments: str) -> tuple[float, float]:
    """Return (wall seconds, CPU seconds) of one command."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "edgekit", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    json_wanted = parser.parse_args().json
    folder = public_data.root()
    if folder is None:
        print("set EDGEKIT_DATA to a folder with the public models", file=sys.stderr)
        return 2
    model = public_data.anchor(folder, "ic01_resnet8_int8")
    run("--help")
    helped = [run("--help") for _ in range(RUNS)]
    generated = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as name:
            generated.append(run("generate", str(model), "-o", f"{name}/firmware"))
    result = {
        "help_wall_s": round(statistics.median(wall for wall, _ in helped), 3),
        "generate_cpu_s": round(statistics.median(cpu for _, cpu in generated), 3),
        "runs": RUNS,
    }
    good = result["help_wall_s"] <= HELP_BAR_S and result["generate_cpu_s"] <= GENERATE_BAR_S
    if json_wanted:
        print(json.dumps(result | {"ok": good}))
    else:
        print(f"edgekit --help: {result['help_wall_s'] * 1e3:.0f} ms (median of {RUNS}, bar 150 ms)")
        print(f"edgekit generate ResNet-8: {result['generate_cpu_s']:.2f} s of CPU (bar 1 s)")
        print("all bars met" if good else "a bar is MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
