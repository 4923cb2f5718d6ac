"""The command line: the only part of edgekit that prints, draws bars and exits."""

from edgekit.cli._app import main

__all__ = ["main"]
