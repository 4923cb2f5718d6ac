"""What the codes of SSCMA firmware's replies mean, and what a user can do about them."""

from edgekit.errors import DeviceError

CODES = {
    1: ("again", "wait a moment, and run the command again"),
    2: ("logic error", "press the board's reset button, and run the command again"),
    3: ("timeout", "is the camera's ribbon cable seated? then press the board's reset button"),
    4: ("I/O error", "is the camera's ribbon cable seated? then press the board's reset button"),
    5: ("invalid argument", "has the board a model that its firmware knows? send it one with SenseCraft"),
    6: ("out of memory", "the model needs more memory than the firmware has for it: use a smaller one"),
    7: ("busy", "another program may drive the board by Wi-Fi or I2C; or press its reset button"),
    8: ("not supported", "the firmware knows no algorithm for this model, or cannot do this"),
    9: ("not permitted", "press the board's reset button, and run the command again"),
    10: ("no such entity", "the board has no model where its firmware looks for one: write one to it first"),
    11: ("exists already", ""),
}
"""The name of each code of a reply, and what a user can do."""
AGAIN, BUSY = 1, 7


class NotUnderstoodError(DeviceError):
    """The firmware does not know the command, or takes another number of arguments."""


class RefusedError(DeviceError):
    """The firmware understood, and answers with an error's code, which stands in `details`."""


def refused(command: str, code: int) -> RefusedError:
    """Return the error for a reply or an event whose code is not 0."""
    name, hint = CODES.get(code, ("unknown", ""))
    return RefusedError(
        f"the board answered '{command}' with code {code} ({name})", hint, {"code": code, "name": name}
    )
