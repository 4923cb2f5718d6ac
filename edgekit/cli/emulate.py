"""`edgekit emulate`: keep a virtual board running, and say where its serial line is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import _options
from edgekit.cli._app import command as make_command
from edgekit.cli._output import SCHEMA, Output

if TYPE_CHECKING:
    import socket


@make_command(short_help="Keep a virtual board running and print the address of its serial line.")
@_options.board
@_options.model
@_options.protocol
@click.option(
    "--listen",
    "address",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where clients connect; port 0 takes a free one.",
)
@click.option("--pty", is_flag=True, help="Give a terminal's path instead of a TCP port.")
@_options.debug
@_options.timeout
def command(
    output: Output,
    board: str,
    model: Path | None,
    address: str,
    pty: bool,
    timeout_s: float,
    **stated: Any,
) -> None:
    """Run a virtual board until Ctrl-C; any client may open the URL or path that is printed.

    With a model (--model or edgekit.toml) its firmware is built first; without one, the board runs what was
    flashed to it last. Clients come and go; the board keeps running. With --protocol mlperf_tiny its boot
    messages are kept back: a runner would take them for the answer to its first command.

    \b
    Example: edgekit emulate --board mps3_an547
    then:    edgekit monitor --board mps3_an547 --source test/ --port socket://127.0.0.1:PORT
    """
    import contextlib

    from edgekit import connection, emulator, models, pipeline
    from edgekit.emulator import RunningBoard, bridge
    from edgekit.firmware import protocols

    opened = _options.load_board(board)
    emulator.check_runnable(opened)
    host, port = _address(address)
    if model is not None:
        loaded = models.load_model(model)
        image = pipeline.build_image(loaded, opened, _options.firmware(stated))
    else:
        image = connection.installed_image(opened, stated["protocol"])

    def boot(line: "socket.socket") -> None:
        if protocols.find(image.protocol).speaks_first:
            bridge.skip_boot(line, timeout_s)

    def say(where: str) -> None:
        output.text(where)
        output.event({"schema": SCHEMA, "type": "listening", "board": opened.id, "port": where})
        output.talk(f"{opened.id} is running; Ctrl-C ends it")

    with contextlib.suppress(KeyboardInterrupt), RunningBoard(image, opened) as running:
        if pty:
            with bridge.terminal() as (path, primary):
                say(path)
                bridge.serve_terminal(running, primary, boot=boot)
        with bridge.listen(host, port) as server:
            say(f"socket://{host}:{server.getsockname()[1]}")
            bridge.serve_tcp(running, server, output.detail, boot=boot)


def _address(text: str) -> tuple[str, int]:
    from edgekit.errors import UsageError

    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"'{text}' is no address to listen on", "write it as 127.0.0.1:0 or 127.0.0.1:5555")
    return host, int(port)
