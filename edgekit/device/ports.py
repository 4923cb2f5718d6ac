"""Finds the serial port of a board: by its USB ids first, then by who answers a greeting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.errors import PortError


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this computer."""

    path: str
    description: str
    usb_id: str
    """`vvvv:pppp` in lower case; empty if it is not on USB."""

    def __str__(self) -> str:
        usb = f" [{self.usb_id}]" if self.usb_id else ""
        return f"{self.path} ({self.description}){usb}"


def list_ports() -> tuple[Port, ...]:
    """Return all serial ports, sorted by path."""
    from serial.tools import list_ports as tool

    found = [
        Port(
            info.device,
            info.description or "",
            "" if info.vid is None or info.pid is None else f"{info.vid:04x}:{info.pid:04x}",
        )
        for info in tool.comports()
    ]
    return tuple(sorted(found, key=lambda port: port.path))


def matching(usb_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ports with one of these USB ids, or all USB ports if none are given, as lines of text."""
    return tuple(map(str, _matching(list_ports(), usb_ids)))


def _matching(ports: Sequence[Port], usb_ids: Sequence[str]) -> list[Port]:
    wanted = {usb_id.lower() for usb_id in usb_ids}
    return [port for port in ports if port.usb_id and (not wanted or port.usb_id in wanted)]


def choose(
    ports: Sequence[Port], usb_ids: Sequence[str], answers: Callable[[str], bool] | None = None
) -> str:
    """Return the path of the board's port.

    Args:
        ports: what there is.
        usb_ids: `vvvv:pppp` of the board; none given means any port on USB.
        answers: says hello on a port and returns whether a device of ours answered; called only when
            more than one port matches. None: nothing can be asked, as of a boot loader.

    Raises:
        PortError: none matches, or several do and not exactly one answers; the message lists them.
    """
    found = _matching(ports, usb_ids)
    if not found:
        what = f"no serial port with USB id {' or '.join(usb_ids)}" if usb_ids else "no USB serial port"
        others = "; ".join(map(str, ports)) or "none"
        raise PortError(
            f"{what} was found (ports of this computer: {others})",
            "plug the board in with a cable that carries data, or name the port with --port",
        )
    if len(found) == 1:
        return found[0].path
    answering = [] if answers is None else [port for port in found if answers(port.path)]
    if len(answering) == 1:
        return answering[0].path
    listed = "; ".join(map(str, answering or found))
    if answers is None:
        raise PortError(f"several ports match: {listed}", "name one with --port")
    who = "several boards answer" if answering else "several ports match and no board answers"
    raise PortError(f"{who}: {listed}", "name one with --port")
