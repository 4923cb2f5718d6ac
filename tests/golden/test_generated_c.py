"""The generated C of small graphs, byte for byte. After a wanted change: pytest --update-golden."""

from collections.abc import Callable
from pathlib import Path

import pytest
import small_models

from edgekit import __version__, contract
from edgekit.codegen.generator import generate
from edgekit.contract import Color, Preprocess, Resize
from edgekit.graph import tflite
from edgekit.graph.ir import Graph

HERE = Path(__file__).parent
NORMAL = Preprocess(Color.RGB, Resize.SQUASH, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def normalised(graph: Graph) -> contract.Contract:
    return contract.for_graph(graph, preprocess=NORMAL, labels=small_models.LABELS, oracle="LiteRT")


@pytest.mark.parametrize(
    ("case", "model", "agree"),
    [
        ("fully_connected", small_models.fully_connected, contract.of),
        ("classifier", small_models.classifier, normalised),
    ],
)
def test_generated_c(
    case: str,
    model: Callable[[], bytes],
    agree: Callable[[Graph], contract.Contract],
    pytestconfig: pytest.Config,
) -> None:
    graph = tflite.parse(model())
    for name, content in generate(graph, agree(graph)).files.items():
        # A new version of edgekit changes one comment and nothing else.
        content = content.replace(f"edgekit {__version__};".encode(), b"edgekit VERSION;")
        path = HERE / case / name
        if pytestconfig.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert content == path.read_bytes(), f"{path.name} of {case} has changed"
