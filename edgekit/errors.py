"""Every error that edgekit raises on purpose, one exit code per stage of the line.

An error says what failed, with names and numbers (`message`), and what to do next (`hint`). The library
raises; only `edgekit.cli` prints and exits.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from edgekit import install


class EdgekitError(Exception):
    """The root of all errors that are the input's or the environment's fault, not a bug.

    Args:
        message: what failed, with names and numbers.
        hint: what to do next; empty when the message says it all.
        details: the same facts for a machine; they stand in the JSON of the error.
    """

    exit_code: ClassVar[int] = 1
    id: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: Mapping[str, Any] = details or {}


class UsageError(EdgekitError):
    """The command line asks for something that cannot be."""

    exit_code = 2
    id = "usage"


class ProjectError(EdgekitError):
    """`edgekit.toml` or a board file is wrong."""

    exit_code = 3
    id = "project"


class DataError(ProjectError):
    """A data set is empty, broken or does not match the model."""

    id = "data"


class ModelError(EdgekitError):
    """A model cannot be read, or is not what the stage needs."""

    exit_code = 4
    id = "model"


class UnsupportedOpError(ModelError):
    """A model holds operators that this stage cannot run; all of them are listed at once."""

    id = "unsupported_op"


class AccuracyError(EdgekitError):
    """The int8 model lost more accuracy than the user allows."""

    exit_code = 5
    id = "accuracy"


class DoesNotFitError(EdgekitError):
    """The model needs more memory than the board has."""

    exit_code = 6
    id = "does_not_fit"


class ToolError(EdgekitError):
    """An external tool or a Python extra is missing, or failed."""

    exit_code = 7
    id = "tool"


class MissingExtraError(ToolError):
    """A Python package of an optional extra is not installed."""

    id = "missing_extra"

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the Python package '{package}', which is not installed",
            install.command(extra),
        )


class OracleError(ToolError):
    """The reference kernels have no answer for a frame, or die of it; the message names the operator.

    Args:
        before, after: what happened, around `on frame N`.
        frame: N, counted from 0.
        hint: what to do next.
    """

    id = "oracle"

    def __init__(self, before: str, frame: int, after: str, hint: str) -> None:
        super().__init__(f"{before} on frame {frame}{after}", hint, {"frame": frame})
        self.frame = frame
        self._parts = (before, after, hint)

    def moved(self, by: int) -> "OracleError":
        """Return the same error for a frame that is `by` further on."""
        before, after, hint = self._parts
        return OracleError(before, self.frame + by, after, hint)


class OutputError(ToolError):
    """An output path cannot be written."""

    id = "output"


class PortError(EdgekitError):
    """A serial port is absent, busy or not permitted."""

    exit_code = 8
    id = "port"


class FlashError(EdgekitError):
    """Writing firmware to the board failed; the message says what state the board is in."""

    exit_code = 9
    id = "flash"


class DeviceError(EdgekitError):
    """The device does not answer, or breaks the protocol."""

    exit_code = 10
    id = "device"


class ContractMismatchError(EdgekitError):
    """The firmware on the board was built for another model or another contract."""

    exit_code = 11
    id = "contract_mismatch"


class ProofError(EdgekitError):
    """The device computed something else than the oracle."""

    exit_code = 12
    id = "proof"


class FaultError(EdgekitError):
    """Firmware in QEMU has crashed; its registers and last words are in the message."""

    exit_code = 13
    id = "fault"


class RegressionError(EdgekitError):
    """A figure of `edgekit bench` is worse than in the file that it was compared with."""

    exit_code = 14
    id = "regression"
