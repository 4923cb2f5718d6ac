"""`edgekit emulate`: keep a virtual board running for any program that opens a serial port."""

from pathlib import Path

import click

from edgekit.cli import _mlperf, _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import SCHEMA, Output


@make_command(short_help="Keep a virtual board running, with a serial port for any program.")
@_options.board
@_options.model
@_options.protocol
@_options.mlperf_model
@_options.mlperf_vendor
@click.option("--pty", is_flag=True, help="Serve the serial line as a pseudo-terminal.  [default]")
@click.option("--once", is_flag=True, help="End when the first program closes the port.")
@_options.timeout
def command(
    output: Output,
    board: str,
    model: Path | None,
    protocol: str,
    mlperf_model: str | None,
    mlperf_vendor: str,
    pty: bool,  # noqa: ARG001 - the only way so far
    once: bool,
    timeout_s: float,
) -> None:
    """Turn a virtual board on, print the path of its serial port, and keep it on until Ctrl-C.

    With --model its firmware is built first; without, the board runs what was flashed to it last.
    With --protocol mlperf_tiny the port appears when the board has booted, and its boot messages are kept
    back: a runner would take them for the answer to its first command.

    \b
    Example: edgekit emulate --board host --model model.tflite --protocol mlperf_tiny --pty
    """
    from edgekit import board as boards
    from edgekit import pipeline
    from edgekit.device import bridge
    from edgekit.emulator import RunningBoard
    from edgekit.errors import DeviceError

    opened = boards.load(board)
    image = pipeline.installed_image(opened, protocol) if model is None else None
    if image is None:
        loaded = pipeline.load_model(_options.require(model))
        mlperf = _mlperf.identity(protocol, loaded, mlperf_model, mlperf_vendor)
        image = pipeline.build_image(loaded, opened, mlperf=mlperf)
    with RunningBoard(image, opened) as running:
        line = running.connect()
        if protocol == _mlperf.MLPERF_TINY:
            bridge.skip_boot(line, timeout_s)
        with bridge.open_terminal(keep=not once) as terminal:
            output.text(terminal.path)
            output.event(
                {"schema": SCHEMA, "type": "ready", "ok": True, "board": opened.id, "port": terminal.path}
            )
            output.talk("the board runs; Ctrl-C turns it off")
            if bridge.join(line, terminal) is bridge.End.LINE:
                running.close()
                raise DeviceError(
                    f"the firmware ended (exit {running.exit_code()})",
                    f"its last words:\n{running.last_words()}" if running.last_words() else "",
                )
