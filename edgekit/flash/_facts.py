"""What a board file says for a flash method, and the files of an image; both are checked before use."""

import hashlib
from pathlib import Path

from edgekit.board import Board
from edgekit.errors import FlashError
from edgekit.files import read_regular
from edgekit.toml_table import Table


def table(board: Board) -> Table:
    """Return [flash.facts] of a board file, to be read strictly."""
    facts: dict[str, object] = {
        k: list(v) if isinstance(v, tuple) else v for k, v in board.flash.facts.items()
    }
    return Table(board.path, "flash.facts", facts)


def content(path: Path, sha256: str, board: Board) -> bytes:
    """Return the bytes of a file of a built image.

    Raises:
        FlashError: it cannot be read, is empty, or has changed since it was built.
    """
    as_it_was = f"the board '{board.id}' is as it was"
    try:
        found = read_regular(path)
    except OSError as error:
        raise FlashError(f"cannot read the image '{path}': {error.strerror}; {as_it_was}") from error
    if hashlib.sha256(found).hexdigest() != sha256:
        raise FlashError(
            f"the image '{path}' has changed since it was built; {as_it_was}", "run `edgekit build` again"
        )
    if not found:
        raise FlashError(f"the image '{path}' is empty; {as_it_was}", "run `edgekit build` again")
    return found
