"""The figures of a benchmark as lines of text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.bench.compare import Change
    from edgekit.bench.result import Bench


def lines(found: "Bench") -> Iterator[str]:
    """Yield the table of one benchmark."""
    yield f"{found.model} on {found.board} ({found.cpu}), {found.frames} frames"
    yield from _work(found)
    yield ""
    yield from _rows(
        ("arena", found.arena_bytes, "bytes: input, output, scratch and activations"),
        ("stack", found.stack_bytes, "bytes, the most in use"),
        ("engine", found.engine_bytes, "bytes of flash: kernels, protocol, start-up, drivers"),
        ("model", found.model_bytes, "bytes of flash: weights, parameters, and the code that calls kernels"),
        ("flash", found.flash_bytes, "bytes in all"),
        ("RAM", found.ram_bytes, "bytes in all, the stack's reserve too"),
    )
    if found.sections:
        yield ""
        width = max(len(part.name) for part in found.sections)
        for part in found.sections:
            yield f"  {part.name:{width}} {part.bytes:>12,}  {part.memory}"
    yield ""
    if found.accuracy is not None:
        yield f"  accuracy {found.accuracy:.2%} of {found.frames} frames"
    yield f"  compiler {found.compiler}"
    yield f"  flags    {' '.join(found.cflags)}"
    if found.qemu is not None:
        yield f"  QEMU     {found.qemu}"


def _work(found: "Bench") -> Iterator[str]:
    if found.wall_us is not None:
        times = found.wall_us
        yield (
            f"  run: p50 {times.p50:,.0f} us, p95 {times.p95:,.0f} us, min {times.min:,.0f} us, "
            f"max {times.max:,.0f} us, by the clock of this '{found.board}' alone"
        )
    if found.instructions_per_invoke is None:
        if found.wall_us is None:
            yield "  not run: nothing here executes this board's instructions"
        return
    exact = "exact" if found.method == "plugin" else f"in steps of {found.resolution:g}"
    yield (
        f"  {found.instructions_per_invoke:,} instructions per run ({exact}, by the {found.method}), "
        f"{found.instructions_lowest:,} to {found.instructions_highest:,} over the frames"
    )
    yield ""
    yield f"  {'step':>4}  {'operator':20} {'output':>14} {'instructions':>14} {'share':>7} {'per MAC':>8}"
    for step in found.per_op:
        if step.instructions is None:
            yield f"  {step.step:>4}  {step.kind:20} {step.output:>14} {'-':>14}"
            continue
        share = step.instructions / max(1, found.instructions_per_invoke)
        per_mac = f" {step.instructions / step.macs:8.2f}" if step.macs else ""
        row = f"  {step.step:>4}  {step.kind:20} {step.output:>14} {step.instructions:>14,} {share:>7.1%}"
        yield row + per_mac


def _rows(*rows: tuple[str, int | None, str]) -> Iterator[str]:
    for name, value, meaning in rows:
        if value is not None:
            yield f"  {name:8} {value:>12,} {meaning}"


def change_lines(changes: "Sequence[Change]", path: str) -> Iterable[str]:
    """Yield the figures beside those of an earlier run."""
    yield ""
    yield f"  {'against ' + path:24} {'before':>14} {'now':>14} {'ratio':>8}"
    for item in changes:
        yield f"  {item.figure:24} {item.before:>14,} {item.now:>14,} {item.ratio:>8.4f}"
