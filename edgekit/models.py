"""A model as all later stages take it: an int8 .tflite with the contract by which it is used."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit import contract
from edgekit.contract import Color, Contract, Resize
from edgekit.errors import UsageError
from edgekit.graph import tflite
from edgekit.graph.digest import model_digest
from edgekit.graph.edges import int8_core
from edgekit.graph.ir import Graph


@dataclass(frozen=True, slots=True)
class Model:
    """An int8 .tflite, read and checked, with the contract by which it is used."""

    path: Path
    data: bytes = field(repr=False)
    graph: Graph = field(repr=False)
    contract: Contract
    digest: str
    """Of the graph without metadata: what the firmware carries."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the whole file, as `sha256sum` prints it."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class ContractFlags:
    """What the user says about a model's input and labels; None leaves what the model says."""

    labels: tuple[str, ...] | None = None
    color: str | None = None
    resize: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def load_model(path: Path | str, flags: ContractFlags | None = None) -> Model:
    """Read an int8 .tflite, ours or a third party's.

    Raises:
        ModelError: not an int8 classifier with one input and one output.
        UsageError: the flags contradict the model.
    """
    path = Path(path)
    content = tflite.read_bytes(path)
    graph = int8_core(tflite.parse_file(content, path))
    agreement = _with_flags(graph, contract.of(graph), flags or ContractFlags())
    return Model(path, content, graph, agreement, model_digest(graph))


def _with_flags(graph: Graph, base: Contract, flags: ContractFlags) -> Contract:
    if flags == ContractFlags():
        return base
    preprocess = base.preprocess
    if preprocess is not None:
        preprocess = contract.preprocessing(
            Color(flags.color) if flags.color else preprocess.color,
            resize=Resize(flags.resize) if flags.resize else preprocess.resize,
            mean=preprocess.mean if flags.mean is None else flags.mean,
            std=preprocess.std if flags.std is None else flags.std,
        )
    elif flags.color or flags.mean or flags.std or flags.resize:
        raise UsageError(
            f"the model's input {list(base.input_shape)} is not an image: "
            "--color, --resize, --mean and --std do not apply",
            "leave them out, here and in edgekit.toml",
        )
    made = contract.for_graph(
        graph, preprocess=preprocess, labels=flags.labels or base.labels, oracle=base.oracle
    )
    # Unnamed labels stay numbers, and no folder's classes are matched to them.
    made = replace(made, implied=base.implied and flags.labels is None)
    # Colour and resizing do not touch the table. The implied one, pixel - 128, follows from no mean and std:
    # whoever states them, even 0 and 1, means the formula.
    stated = flags.mean is not None or flags.std is not None
    return made if stated else replace(made, table=base.table)
