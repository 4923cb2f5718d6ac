"""Why a network on a device does not run: the reasons that firmware_templates/app/ek_app.h numbers."""

from edgekit.errors import DeviceError

_AGAIN = "generate the firmware again with this edgekit and flash it"
_LOG = "the firmware's log lines, in the notes of `edgekit monitor`, may say more"
_REASONS = {
    1: ("its runtime does not know the schema of the .tflite", "build it with a newer runtime"),
    2: ("an operator could not be registered", _AGAIN),
    3: ("the arena is too small, or an operator refuses its tensors", _LOG),
    4: ("its input or output are not those that the firmware was generated for", _AGAIN),
    5: ("an operator failed while it ran", _LOG),
    6: (
        "there is no whole model in its flash partition",
        "flash it again: `edgekit flash --model-only --no-build`, or all of it",
    ),
    7: ("the model in its flash partition is for other firmware", "flash both, without --model-only"),
}


def model_failure(reason: int) -> DeviceError:
    """Return the error to raise for an ERROR packet MODEL_FAILED."""
    text, hint = _REASONS.get(reason, (f"reason {reason}, which this edgekit does not know", _AGAIN))
    return DeviceError(f"the network on the device does not run: {text}", hint, {"reason": reason})
