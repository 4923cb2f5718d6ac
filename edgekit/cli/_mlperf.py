"""What commands do when the firmware speaks the MLPerf Tiny device protocol."""

from typing import TYPE_CHECKING

from edgekit.cli._output import Output

if TYPE_CHECKING:
    from edgekit.board import Board
    from edgekit.firmware.image import FirmwareImage
    from edgekit.firmware.mlperf_tiny import Identity
    from edgekit.pipeline import Model

MLPERF_TINY = "mlperf_tiny"


def identity(protocol: str, model: "Model", name: str | None, vendor: str) -> "Identity | None":
    """Return what the firmware should say of itself; None if it is to speak edgekit's own protocol."""
    from edgekit.errors import UsageError
    from edgekit.firmware import mlperf_tiny

    if protocol != MLPERF_TINY:
        if name is not None:
            raise UsageError("--mlperf-model needs --protocol mlperf_tiny")
        return None
    return mlperf_tiny.identify(model.contract, model=name, vendor=vendor)


def greet(
    output: Output, board: "Board", image: "FirmwareImage", *, port: str | None, timeout_s: float
) -> None:
    """Ask a board that was just flashed who it is, and say so."""
    from edgekit.live.protocols import mlperf_tiny

    with mlperf_tiny.open_device(board, port=port, timeout_s=timeout_s) as device:
        said = {"vendor": device.vendor, "model": device.model, "firmware": device.firmware}
    output.text(
        f"{board.id} runs MLPerf Tiny firmware of '{said['vendor']}', model {said['model']}\n"
        f"next: edgekit monitor --board {board.id} --protocol {MLPERF_TINY} --source DATA"
    )
    output.result({"board": board.id, "image": str(image.path), "protocol": MLPERF_TINY, "hello": said})
