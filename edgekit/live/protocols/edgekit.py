"""A live run of a board that speaks edgekit's own protocol."""

from edgekit import connection
from edgekit.errors import UsageError
from edgekit.live import OWN_CAMERA
from edgekit.live.asked import Asked
from edgekit.live.events import Events
from edgekit.live.run import run as run_frames
from edgekit.live.run import watch
from edgekit.live.source import open_source


def run(asked: Asked) -> Events:
    """Open the board, classify what `asked.source` has, and yield what happens; a model is needed."""
    if asked.model is None or asked.source is None:
        raise UsageError("a live run needs a model and a source of frames")
    contract = asked.model.contract
    stream = None if asked.source == OWN_CAMERA else open_source(asked.source, contract, asked.count)
    with connection.open_device(
        asked.board, port=asked.port, model=asked.model, timeout_s=asked.timeout_s, on_note=asked.on_note
    ) as device:
        if stream is None:
            yield from watch(device, contract, count=asked.count, every=asked.frame_every or 0)
        else:
            yield from run_frames(device, contract, stream, fps=asked.fps)
