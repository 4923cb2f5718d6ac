"""The memory plan as text and as a picture."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from tflite_builder import Node, Value, build_graph

from edgekit import inspection
from edgekit.cli import _inspection, _plan_drawing

SVG = "{http://www.w3.org/2000/svg}"


def test_json_has_the_plan(cli: Callable, model: Path) -> None:
    memory = cli("inspect", model, "--json").json["memory"]
    assert memory["arena_bytes"] == max(place["offset"] + place["bytes"] for place in memory["places"])
    assert memory["lower_bound"] == max(memory["needs"]) == memory["needs"][memory["bottleneck"]]
    assert memory["lower_bound"] <= memory["arena_bytes"] <= memory["largest_live_bytes"]


def test_the_text_shows_each_step_and_names_the_bottleneck(cli: Callable, model: Path) -> None:
    found = inspection.inspect(model, [])
    assert found.memory is not None
    lines = _inspection.memory_map(found.memory, len(found.layers))
    *rows, mark = [line[10:] for line in lines]
    assert {len(row) for row in rows} == {len(found.layers)}
    assert mark.index("^") == found.memory.bottleneck
    # The first convolution lays its output over the input: the letters of both are there, and shared bytes.
    assert {"a", "b", "*", "+"} <= {row[0] for row in rows}
    shown = cli("inspect", model).out
    assert f"bottleneck step {found.memory.bottleneck} CONV_2D" in shown
    assert rows[0] in shown


def test_many_steps_share_columns(model: Path) -> None:
    found = inspection.inspect(model, [])
    assert found.memory is not None
    lines = _inspection.memory_map(found.memory, 500)
    assert max(len(line) for line in lines) <= 10 + _inspection._COLUMNS


@pytest.mark.parametrize("name", ["plan.svg", "plan.SVG"])
def test_svg(cli: Callable, model: Path, name: str) -> None:
    done = cli("inspect", model, "--plot", name)
    assert done.code == 0, done.err
    assert name in done.err
    root = ElementTree.parse(name).getroot()
    found = inspection.inspect(model, [])
    assert found.memory is not None
    boxes = root.findall(f"{SVG}rect")
    assert len(boxes) == len(found.memory.places) + 3  # paper, frame and bottleneck
    texts = [text.text or "" for text in root.findall(f"{SVG}text")]
    assert any(f"arena {found.arena_bytes:,} B" in text for text in texts)
    assert sum("CONV_2D" in text for text in texts) == 3  # two steps, and the bottleneck's name


def test_png(cli: Callable, model: Path) -> None:
    assert cli("inspect", model, "--plot", "plan.png").code == 0
    with Image.open("plan.png") as picture:
        assert picture.width >= 640
        colours = picture.getcolors(1 << 20)
    assert colours is not None
    assert (0xD6, 0x27, 0x28) in {colour for _, colour in colours}, "the bottleneck is marked"


def test_both_pictures_are_the_same_on_every_run(model: Path) -> None:
    found = inspection.inspect(model, [])
    assert found.memory is not None
    for make in (_plan_drawing._svg, _plan_drawing._png):
        first, second = (make(_plan_drawing.picture(found, found.memory)) for _ in range(2))
        assert first == second


def test_a_name_that_is_no_picture_is_refused_first(cli: Callable) -> None:
    done = cli("inspect", "nowhere.tflite", "--plot", "plan.pdf")
    assert (done.code, "plan.pdf" in done.err) == (2, True)


def test_a_model_without_a_plan_has_no_picture(cli: Callable, tmp_path: Path) -> None:
    values = [Value((1, 4), scales=(0.1,), zero_points=(0,)) for _ in range(2)]
    path = tmp_path / "odd.tflite"
    path.write_bytes(build_graph(values, [Node("CUMSUM", (0,), (1,))], inputs=[0], outputs=[1]))
    done = cli("inspect", path, "--plot", "plan.svg")
    assert (done.code, "no memory plan" in done.err) == (4, True)
    assert not Path("plan.svg").exists()


def test_names_from_the_model_cannot_leave_their_text(cli: Callable, tmp_path: Path) -> None:
    values = [Value((1, 4, 4, 3), scales=(0.1,), zero_points=(0,), name="<script>&\n\x1b") for _ in range(2)]
    options = {"filter_height": 1, "filter_width": 1, "stride_h": 1, "stride_w": 1, "padding": "VALID"}
    path = tmp_path / "a&<b.tflite"
    path.write_bytes(build_graph(values, [Node("MAX_POOL_2D", (0,), (1,), options)], inputs=[0], outputs=[1]))
    assert cli("inspect", path, "--plot", "plan.svg").code == 0
    ElementTree.parse("plan.svg")
    assert "<script>" not in Path("plan.svg").read_text("utf-8")
