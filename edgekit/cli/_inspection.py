"""Shows an inspection to a person."""

from typing import TYPE_CHECKING

from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.inspection import Inspection

_BAR = 24


def render(output: Output, found: "Inspection") -> None:
    """Print layers, memory over time, totals, and the fit on boards."""
    shape = "x".join(map(str, found.input_shape))
    output.text(
        f"{found.name}: {shape} {found.input_dtype} -> {list(found.output_shape)} {found.output_dtype}"
    )
    if found.problem:
        output.text(f"edgekit cannot run it: {found.problem}")
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
    for budget in found.budgets:
        verdict = "fits" if budget.fits else "DOES NOT FIT"
        ram, flash = budget.ram, budget.flash
        output.text(
            f"{budget.board_id:18} {verdict:13} RAM {ram.needed:,} of {ram.available:,} B, "
            f"flash {flash.needed:,} of {flash.available:,} B"
        )
