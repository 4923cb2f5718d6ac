"""Shows an inspection to a person."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.inspection import Inspection, Memory

_BAR = 24
_CYCLES = "Vela's estimate, of the NPU's part alone; not a measurement"
_ROWS = 16
_COLUMNS = 96


def render(output: Output, found: "Inspection") -> None:
    """Print layers, memory over time, totals, and the fit on boards."""
    shape = "x".join(map(str, found.input_shape))
    output.text(
        f"{found.name}: {shape} {found.input_dtype} -> {list(found.output_shape)} {found.output_dtype}"
    )
    if found.problem:
        whose = "edgekit's own C" if found.tflm else "edgekit"
        output.text(f"{whose} cannot run it: {found.problem}")
    output.text(f"\n{'':3} {'operator':18} {'output':14} {'MACs':>12} {'weights':>9} {'live bytes':>10}")
    peak = max((layer.live_bytes for layer in found.layers), default=0)
    for layer in found.layers:
        bar = "#" * round(_BAR * layer.live_bytes / peak) if peak else ""
        mark = "  <- peak" if layer.index == found.peak_step else ""
        output.text(
            f"{layer.index:3} {layer.kind:18} {'x'.join(map(str, layer.output_shape)):14} "
            f"{layer.macs:12,} {layer.weight_bytes:9,} {layer.live_bytes:10,} {bar}{mark}"
        )
    kinds = ", ".join(f"{kind} {count}" for kind, count in found.ops.items())
    output.text(f"\noperators  {kinds}")
    output.text(f"MACs       {found.macs:,}")
    output.text(f"weights    {found.weight_bytes:,} B")
    if found.arena_bytes is not None:
        output.text(f"arena      {found.arena_bytes:,} B, input and output included")
        output.text(f"peak       step {found.peak_step}, made by:")
        for live in found.peak:
            output.text(f"             {live.bytes:10,} B  {live.name}")
    if found.memory is not None:
        _render_memory(output, found, found.memory)
    for board_id, report in found.tflm.items():
        output.text(f"\ntflm on {board_id}")
        render_tflm(output, report)
    if found.tflm:
        output.text("")
    for budget in found.budgets:
        verdict = "fits" if budget.fits else "DOES NOT FIT"
        ram, flash = budget.ram, budget.flash
        output.text(
            f"{budget.board_id:22} {verdict:13} RAM {ram.needed:,} of {ram.available:,} B, "
            f"flash {flash.needed:,} of {flash.available:,} B"
        )


def render_tflm(output: Output, report: Mapping[str, Any]) -> None:
    """Print what the runtime tflm makes of a model on one board."""
    if "problem" in report:
        output.text(f"  cannot run it: {report['problem']}")
        return
    arena, npu = report["arena"], report["npu"]
    output.text(f"  library    {report['library']}, {report['verified']}")
    output.text(f"  resolver   {', '.join(name.removeprefix('Add') for name in report['resolver'])}")
    output.text(f"  model      {report['data']['bytes']:,} B in flash")
    output.text(
        f"  arena      {arena['bytes']:,} B = {arena['reference_bytes']:,} ({arena['measured_by']}) "
        f"+ {arena['margin_bytes']:,} margin"
    )
    output.text(f"             margin: {arena['margin_reason']}")
    if npu is not None:
        _render_npu(output, npu)


def _render_npu(output: Output, npu: Mapping[str, Any]) -> None:
    for place, key in (("on NPU", "operators_on_npu"), ("on CPU", "operators_on_cpu")):
        kinds = ", ".join(f"{kind} {count}" for kind, count in npu[key].items())
        output.text(f"  {place}     {sum(npu[key].values())} {f'({kinds})' if kinds else ''}".rstrip())
    for reason in npu["reasons"]:
        output.text(f"             {reason}")
    estimate = npu["estimate"]
    output.text(f"  {npu['accelerator']} by {npu['version']}: SRAM {npu['sram_bytes']:,} B")
    output.text(f"  estimate   {estimate['cycles']:,} cycles, {estimate['inference_ms']:.3f} ms ({_CYCLES})")


def _render_memory(output: Output, found: "Inspection", memory: "Memory") -> None:
    layer = found.layers[memory.bottleneck] if found.layers else None
    if layer is None:
        return
    output.text(
        f"bottleneck step {layer.index} {layer.kind}: {memory.needs[layer.index]:,} B, its output over its "
        f"input; the largest sum of live tensors is {memory.largest_live_bytes:,} B"
    )
    output.text("\nmemory over time: a column is a step, a row a range of addresses; letters are tensors,")
    output.text("+ is scratch, * where an output lies over an input, ^ the bottleneck")
    for line in memory_map(memory, len(found.layers)):
        output.text(line)
    output.text("")


def memory_map(memory: "Memory", steps: int) -> list[str]:
    """Return the plan as text: addresses from bottom to top, steps from left to right.

    A column stands for several steps where there are many, and shows the first of them.
    """
    stride = -(-steps // _COLUMNS)
    shown = range(0, steps, stride)
    names = _letters(memory)
    height = -(-memory.arena_bytes // _ROWS)
    lines = []
    for row in reversed(range(-(-memory.arena_bytes // height) if height else 0)):
        low, high = row * height, (row + 1) * height
        cells = ""
        for step in shown:
            there = [
                names[number]
                for number, place in enumerate(memory.places)
                if place.first <= step <= place.last
                and place.offset < high
                and low < place.offset + place.bytes
            ]
            tensors = [name for name in there if name != "+"]
            cells += "*" if _overlap(memory, step, low, high) else (tensors or there or ["."])[0]
        lines.append(f"{low:9,} {cells}")
    mark = memory.bottleneck // stride if stride else 0
    lines.append(f"{'':9} {'^':>{mark + 1}}")
    return lines


def _letters(memory: "Memory") -> list[str]:
    """Return a letter for each place, again from `a` when they run out; neighbours in time differ."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    found, used = [], 0
    for place in memory.places:
        found.append("+" if place.scratch else letters[used % len(letters)])
        used += not place.scratch
    return found


def _overlap(memory: "Memory", step: int, low: int, high: int) -> bool:
    """Return whether two tensors share bytes of a range during a step."""
    spans = sorted(
        (max(place.offset, low), min(place.offset + place.bytes, high))
        for place in memory.places
        if place.first <= step <= place.last
    )
    end = 0
    for first, last in spans:
        if first < last and first < end:
            return True
        end = max(end, last if first < last else 0)
    return False
