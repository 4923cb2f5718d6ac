"""Print the arena that tflite-micro's interpreter takes for a model: python tflm_arena.py MODEL.tflite

Its own words go to stderr, whatever becomes of the model; so this is a process of its own.
"""

import re
import subprocess
import sys
from pathlib import Path

_ARENA = 4 << 20
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_REASON = re.compile(
    r"(Didn't find op for builtin opcode '\w+'|[^\n]*(?:failed|not supported|Unsupported)[^\n]*)"
)


def measure(model: Path) -> tuple[int | None, str]:
    """Return the arena's bytes, or None and the interpreter's reason for rejecting the model."""
    command = [sys.executable, __file__, str(model)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    total = _TOTAL.search(done.stderr)
    if done.returncode == 0 and total:
        return int(total.group(1)), ""
    reason = _REASON.search(done.stderr)
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return None, (reason.group(1) if reason else last).strip()[:120]


def main() -> int:
    import numpy as np
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(Path(sys.argv[1]).read_bytes(), arena_size=_ARENA)
    interpreter.set_input(np.zeros(interpreter.get_input_details(0)["shape"], np.int8), 0)
    interpreter.invoke()
    interpreter.print_allocations()
    return 0


if __name__ == "__main__":
    sys.exit(main())
