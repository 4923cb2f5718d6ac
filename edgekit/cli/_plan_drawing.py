"""Draws a memory plan: time from left to right, addresses from bottom to top, one box per tensor.

The picture is a list of boxes and texts, which is written as SVG by hand or painted with Pillow. Boxes are
translucent: where an output lies over an input, both are seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import files
from edgekit.cli._output import printable
from edgekit.errors import ModelError, UsageError

if TYPE_CHECKING:
    from edgekit.inspection import Inspection, Memory, Place

_FILLS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f")
_SCRATCH = "#555555"
_PEAK = "#d62728"
_INK = "#222222"
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 24, 56, 150
_HEIGHT = 420
_WIDTH = 1000
_NARROWEST, _WIDEST = 3, 70
"""Pixels of a step."""
_TEXT = 11
_OPACITY = 0.62


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle with an outline; opacity 0 is the outline alone."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text that begins at a point of its base line; upright, or running downwards."""

    x: float
    y: float
    content: str
    colour: str
    size: int = _TEXT
    down: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, in order, and how large it is."""

    width: int
    height: int
    items: tuple[Box | Text, ...]


def check(path: Path) -> None:
    """Raise UsageError if the file's name does not say SVG or PNG, OutputError if it cannot be written."""
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(f"--plot {path}: the name must end with .svg or .png")
    files.check_writable(path)


def write(found: "Inspection", path: Path) -> None:
    """Draw the plan of an inspected model into a file that `check` has let pass.

    Raises:
        ModelError: the model has no plan, because edgekit cannot run it.
        OutputError: the file cannot be written.
    """
    if found.memory is None:
        raise ModelError(f"there is no memory plan to draw: {found.problem}")
    files.write_whole(path, _WRITERS[path.suffix.lower()](picture(found, found.memory)))


def picture(found: "Inspection", memory: "Memory") -> Picture:
    """Return the plan as boxes and texts."""
    steps = max(len(found.layers), 1)
    step = min(max(_WIDTH / steps, _NARROWEST), _WIDEST)
    width = round(_LEFT + steps * step + _RIGHT)
    width = max(width, 640)
    scale = _HEIGHT / max(memory.arena_bytes, 1)
    base = _TOP + _HEIGHT
    items: list[Box | Text] = [Box(_LEFT, _TOP, steps * step, _HEIGHT, _INK, 0)]
    items += _axis(memory.arena_bytes, scale, base)
    labels: list[Text] = []
    drawn = 0
    for place in memory.places:
        colour = _SCRATCH if place.scratch else _FILLS[drawn % len(_FILLS)]
        drawn += not place.scratch
        box = Box(
            _LEFT + place.first * step,
            base - (place.offset + place.bytes) * scale,
            (place.last - place.first + 1) * step,
            max(place.bytes * scale, 1),
            colour,
            _OPACITY,
        )
        items.append(box)
        made = found.layers[place.first] if found.layers else None
        is_input = place.first == 0 and (made is None or place.name != made.name)
        shape = found.input_shape if is_input or made is None else made.output_shape
        labels += _label(place, box, step, shape)
    items.append(Box(_LEFT + memory.bottleneck * step, _TOP, step, _HEIGHT, _PEAK, 0))
    items += labels
    items += _titles(found, memory)
    items += _kinds(found, memory, step, base)
    return Picture(width, base + _BOTTOM, tuple(items))


def _axis(arena: int, scale: float, base: float) -> list[Text]:
    """Return addresses beside the left edge: four parts and the end."""
    marks = sorted({round(arena * part / 4) for part in range(5)})
    return [Text(8, base - mark * scale + 4, f"{mark:>10,}", _INK) for mark in marks]


def _label(place: "Place", box: Box, step: float, shape: tuple[int, ...]) -> list[Text]:
    """Return shape and size of a tensor in its first step: side by side, or downwards in a narrow step."""
    what = "scratch" if place.scratch else "x".join(map(str, shape[1:] or shape))
    lines = [what, f"{place.bytes:,}"]
    longest = max(map(len, lines)) * _TEXT * 0.62
    if longest + 6 <= step and box.height >= 2 * _TEXT + 6:
        return [
            Text(box.x + 4, box.y + (_TEXT + 2) * (number + 1), line, _INK)
            for number, line in enumerate(lines)
        ]
    whole = " ".join(lines)
    if step >= _TEXT + 4 and box.height >= len(whole) * _TEXT * 0.62 + 8:
        return [Text(box.x + step / 2 - 4, box.y + 5, whole, _INK, down=True)]
    return []


def _titles(found: "Inspection", memory: "Memory") -> list[Text]:
    heading = f"{printable(found.name)[:60]}: arena {memory.arena_bytes:,} B"
    live = f"largest sum of live tensors {memory.largest_live_bytes:,} B"
    if not found.layers:
        return [Text(_LEFT, 20, heading, _INK, 15)]
    layer = found.layers[memory.bottleneck]
    peak = f"bottleneck: step {layer.index} {layer.kind}, {memory.needs[layer.index]:,} B; {live}"
    return [Text(_LEFT, 20, heading, _INK, 15), Text(_LEFT, 42, peak, _PEAK, 12)]


def _kinds(found: "Inspection", memory: "Memory", step: float, base: float) -> list[Text]:
    """Return the operators under the steps, as many as can stand side by side."""
    every = max(1, -(-(_TEXT + 2) // max(int(step), 1)))
    return [
        Text(
            _LEFT + (layer.index + 0.5) * step - 4,
            base + 8,
            f"{layer.index} {layer.kind}",
            _PEAK if layer.index == memory.bottleneck else _INK,
            down=True,
        )
        for layer in found.layers
        if layer.index % every == 0 or layer.index == memory.bottleneck
    ]


def _svg(drawn: Picture) -> bytes:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawn.width}" height="{drawn.height}" '
        f'viewBox="0 0 {drawn.width} {drawn.height}" font-family="DejaVu Sans Mono, monospace">',
        f'<rect width="{drawn.width}" height="{drawn.height}" fill="#ffffff"/>',
    ]
    for item in drawn.items:
        if isinstance(item, Box):
            lines.append(
                f'<rect x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" '
                f'height="{item.height:.1f}" fill="{item.colour}" fill-opacity="{item.opacity}" '
                f'stroke="{item.colour}"/>'
            )
            continue
        turn = f' transform="rotate(90 {item.x:.1f} {item.y:.1f})"' if item.down else ""
        lines.append(
            f'<text x="{item.x:.1f}" y="{item.y:.1f}" font-size="{item.size}" fill="{item.colour}" '
            f'xml:space="preserve"{turn}>{escape(item.content)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""]).encode()


def _png(drawn: Picture) -> bytes:
    from PIL import Image, ImageColor, ImageDraw, ImageFont

    page = Image.new("RGBA", (drawn.width, drawn.height), "#ffffff")
    brush = ImageDraw.Draw(page)
    fonts = {item.size: ImageFont.load_default(item.size) for item in drawn.items if isinstance(item, Text)}
    for item in drawn.items:
        colour = ImageColor.getrgb(item.colour)[:3]
        if isinstance(item, Box):
            size = (max(round(item.width), 1), max(round(item.height), 1))
            corner = (round(item.x), round(item.y))
            fill = Image.new("RGBA", size, (*colour, round(255 * item.opacity)))
            page.alpha_composite(fill, corner)
            brush.rectangle((*corner, corner[0] + size[0], corner[1] + size[1]), outline=colour)
        elif item.down:
            strip = Image.new("L", (_BOTTOM, item.size + 6), 0)
            ImageDraw.Draw(strip).text((0, 0), item.content, 255, fonts[item.size])
            turned = strip.transpose(Image.Transpose.ROTATE_270)
            page.paste(colour, (round(item.x) - 4, round(item.y)), turned)
        else:
            brush.text((item.x, item.y), item.content, colour, fonts[item.size], anchor="ls")
    held = BytesIO()
    page.convert("RGB").save(held, "PNG")
    return held.getvalue()


_WRITERS: dict[str, Callable[[Picture], bytes]] = {".svg": _svg, ".png": _png}
