"""Run every benchmark and write docs/reference/benchmarks-host.md. `make bench` calls this.

    EDGEKIT_DATA=DIR python benchmarks/run.py [NAME ...]

With names (startup, quantize, resnet8, link, emulated) only those run and no page is written, but for
`emulated`, which has a page of its own: docs/reference/benchmarks.md.
"""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reference" / "benchmarks-host.md"
NAMES = ("startup", "quantize", "resnet8", "link", "emulated")


def measure(name: str) -> dict[str, Any]:
    """Run one benchmark and return its JSON; its exit code says whether its bars were met."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(f"{name} failed with exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"ok": done.returncode == 0}


def render(found: dict[str, dict[str, Any]]) -> str:
    """Return the page."""
    startup, quantize, resnet8, link = (found[name] for name in NAMES if name != "emulated")
    rows = [
        ("`edgekit --help`, warm", f"{startup['help_wall_s'] * 1e3:.0f} ms", "150 ms", "startup"),
        (
            "`edgekit generate` on ResNet-8, CPU of the whole process",
            f"{startup['generate_cpu_s']:.2f} s",
            "1 s",
            "startup",
        ),
        (
            "quantising ResNet-8 with 256 images, CPU of the whole process",
            f"{quantize['value']:.1f} s",
            "15 s",
            "quantize",
        ),
        (
            f"ResNet-8 on CIFAR-10, rows equal to {resnet8['oracle']}",
            f"{resnet8['rows_equal']:,} of {resnet8['frames']:,}",
            "all",
            "resnet8",
        ),
        (
            "its top-1: edgekit / LiteRT",
            f"{resnet8['top1_edgekit']:.2%} / {resnet8['top1_litert']:.2%}",
            "equal",
            "resnet8",
        ),
    ]
    for line in link["links"]:
        bar = "-" if line["name"] == "reset" else "95 %"
        text = f"goodput, {line['name']} line, {line['frames']:,} frames, {line['wrong']} wrong"
        rows.append((text, f"{100 * line['goodput']:.1f} %", bar, "link"))
    for cpu, size in link["code_bytes"].items():
        text = f"protocol on the device, code at -Os, {cpu}"
        rows.append((text, f"{size['code']:,} B", "2,048 B", "link"))
    table = "".join(f"| {what} | {value} | {bar} | `{name}` |\n" for what, value, bar, name in rows)
    return (
        "# Benchmarks on the host\n\n"
        "Made by `EDGEKIT_DATA=DIR make bench`; one of them by `python benchmarks/NAME.py`. Exact figures "
        "(rows, bytes, goodput on a\nvirtual clock) are the same everywhere; times are of the machine named "
        "here and of nothing else.\n"
        "[Benchmarks on emulated boards](benchmarks.md) are a page of their own.\n\n"
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
        f"{resnet8['compiler']}\n\n"
        "| what | measured | bar | benchmark |\n|---|---|---|---|\n" + table
    )


def main() -> int:
    names = sys.argv[1:] or list(NAMES)
    if unknown := set(names) - set(NAMES):
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; known: {', '.join(NAMES)}")
    found = {name: measure(name) for name in names}
    for name, result in found.items():
        print(f"{name}: {'bars met' if result['ok'] else 'A BAR IS MISSED'}  {json.dumps(result)}")
    if set(names) == set(NAMES):
        PAGE.write_text(render(found), "utf-8")
        print(f"wrote {PAGE.relative_to(HERE.parent)}")
    return 0 if all(result["ok"] for result in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
