"""Whether SSCMA firmware would run a model as a classifier, and feed it what it was trained on.

Source: `Classifier::isValid` and its pre- and postprocessing in Seeed's SSCMA-Micro, firmware 2.0; 1.0.x asks
for less (16 pixels a side).
"""

from edgekit.contract import IDENTITY_TABLE, Color, Contract

_SIDE = 32


def objections(agreed: Contract) -> tuple[str, ...]:
    """Return what is wrong with a model for this firmware, each as a clause that begins with "its"."""
    shape, found = agreed.input_shape, []
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
        found.append(f"its input {list(shape)} is no single image of 1 or 3 channels")
    elif shape[1] < _SIDE or shape[1] % _SIDE:
        found.append(
            f"its input's height of {shape[1]} is no multiple of {_SIDE}, which firmware 2.0 asks for"
        )
    output = agreed.output_shape
    if len(output) != 2 or output[0] != 1 or output[1] < 2:
        found.append(f"its output {list(output)} is not [1, N] with N of at least 2")
    table, preprocess = agreed.table, agreed.preprocess
    if table is not None and table != IDENTITY_TABLE * (len(table) // len(IDENTITY_TABLE)):
        found.append(
            "its input is not pixel - 128, which the firmware feeds it (quantise with mean 0 and std 1)"
        )
    if preprocess is not None and preprocess.color is Color.BGR:
        found.append("its channels are BGR, and the firmware feeds it RGB")
    return tuple(found)
