"""The serial ports of this computer, which devices and bootloaders share: see `edgekit.ports`."""

from edgekit.ports import Port, choose, find, list_ports, matching

__all__ = ["Port", "choose", "find", "list_ports", "matching"]
