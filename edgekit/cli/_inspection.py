"""Shows an inspection to a person."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.inspection import Inspection

_BAR = 24
_CYCLES = "Vela's estimate, of the NPU's part alone; not a measurement"


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
