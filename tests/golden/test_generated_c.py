"""The generated C of small graphs, byte for byte. After a wanted change: pytest --update-golden."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import small_models

from edgekit import __version__, board, contract
from edgekit.codegen import tflm
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
    check(case, generate(graph, agree(graph)).files, pytestconfig)


def test_generated_cpp(pytestconfig: pytest.Config) -> None:
    data = small_models.classifier()
    graph = tflite.parse(data)
    target = board.choose(board.load("esp32s3_eye"), runtime="tflm")
    files = tflm.generate(data, graph, normalised(graph), target).files
    # model.h has the arena as measured by the installed tflite-micro, and model_data.c the file itself.
    check("tflm", {"model_operators.h": files["model_operators.h"]}, pytestconfig)


def check(case: str, files: Mapping[str, bytes], pytestconfig: pytest.Config) -> None:
    for name, content in files.items():
        # A new version of edgekit changes one comment and nothing else.
        content = content.replace(f"edgekit {__version__};".encode(), b"edgekit VERSION;")
        path = HERE / case / name
        if pytestconfig.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert content == path.read_bytes(), f"{path.name} of {case} has changed"
