"""`edgekit classify`: the batch twin of monitor, for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.contract import Contract


@make_command(short_help="Classify a .npy of frames on a board; write the int8 scores.")
@_options.board
@_options.port
@_options.model
@click.option(
    "--input", "frames_path", type=_options.PATH, required=True, help="uint8 [N,H,W,C] or int8 [N,...]."
)
@click.option("--output", "target", type=_options.PATH, required=True, help="Gets int8 [N,classes].")
@_options.contract
@_options.via
@_options.timeout
def command(
    output: Output,
    board: str,
    port: str | None,
    model: Path | None,
    frames_path: Path,
    target: Path,
    via: str,
    timeout_s: float,
    **stated: Any,
) -> None:
    """Send the frames of a .npy file to a board and write its int8 scores to another.

    uint8 frames are raw pixels and pass through the contract's table on the device; int8 tensors are taken
    as already quantised, for any int8 model. A virtual board without --port is built, started and stopped;
    an emulated one takes more than a few frames through files, which is far faster than its serial line.

    \b
    Example: edgekit classify --board host --model model.tflite --input x.npy --output y.npy
    """
    import numpy as np

    from edgekit import models
    from edgekit.cli._live import duration
    from edgekit.files import check_writable
    from edgekit.live.events import spread
    from edgekit.live.runner import runner

    opened = _options.load_board(board)
    flags = models.ContractFlags(**stated)
    loaded = models.load_model(_options.require(model), flags)
    check_writable(target)
    frames = load_frames(frames_path, loaded.contract)
    if frames.dtype == np.uint8:
        _options.warn_if_implied(output, loaded, flags)
    with output.status("building"):
        way = runner(opened, loaded, port=port, via=via, timeout_s=timeout_s, on_note=_options.noted(output))
    with output.progress(f"{len(frames)} frames") as progress:
        answers = way.scores(frames, progress=progress)
    _save(target, answers.scores)
    times = spread(answers.invoke_ticks)
    output.text(f"{len(frames)} frames on {opened.id} -> {target}")
    if len(frames):
        p50, most = (duration(times[key], answers.unit) for key in ("p50", "max"))
        output.text(f"invoke: p50 {p50}, max {most}")
    output.result(
        {
            "board": opened.id,
            "model_sha256": loaded.sha256,
            "model_digest": loaded.digest,
            "contract_digest": loaded.contract.digest(),
            "compiler": None if way.image is None else way.image.compiler,
            "n": len(frames),
            "via": answers.via,
            "unit": answers.unit,
            "invoke": times,
            "link": {"unit": "milliseconds", **spread(answers.link_ms)},
            "retransmissions": answers.retransmissions,
            "resets": answers.resets,
            "reconnections": answers.reconnections,
        }
    )


def _save(target: Path, scores: "NDArray[np.int8]") -> None:
    import io

    import numpy as np

    from edgekit.files import write_whole

    packed = io.BytesIO()
    np.save(packed, scores)
    write_whole(target, packed.getvalue())


def load_frames(path: Path, contract: "Contract") -> "NDArray[np.uint8] | NDArray[np.int8]":
    """Read a .npy of frames and check it against the contract. Raises DataError."""
    import numpy as np

    from edgekit.data.arrays import read_npy
    from edgekit.errors import DataError

    frames = read_npy(path)
    if frames.dtype not in (np.uint8, np.int8):
        raise DataError(f"'{path}' holds {frames.dtype}", "store uint8 pixels or int8 tensors in one .npy")
    wanted = contract.frame_shape
    if frames.shape[1:] == wanted[:-1] and wanted[-1:] == (1,):
        frames = frames[..., None]
    if frames.ndim == 0 or frames.shape[1:] != wanted:
        raise DataError(
            f"'{path}' holds frames of shape {list(frames.shape[1:])}, the model takes {list(wanted)}",
            f"store an array of shape [N, {', '.join(map(str, wanted))}]",
        )
    if frames.dtype == np.uint8 and contract.table is None:
        raise DataError(
            f"the model's input {list(contract.input_shape)} is not an image: it takes int8 tensors only",
            "quantise the values by the model's input scale and zero point and store int8",
        )
    return np.ascontiguousarray(frames)
