"""A float classifier as ONNX in memory: what every kind of model becomes first."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX model with one image input and one output, all shapes fixed and the batch 1."""

    proto: bytes = field(repr=False)
    """The serialised ModelProto, weights included."""
    name: str
    """What to call it in messages: the file's name."""
    input_name: str
    input_shape: tuple[int, int, int, int]
    """As the model has it: [1, C, H, W], or [1, H, W, C] when `channels_last`."""
    channels_last: bool
    classes: int
    notes: tuple[str, ...] = ()
    """What reading it decided, worth telling the user."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the input."""
        return self.input_shape[1:3] if self.channels_last else self.input_shape[2:]

    @property
    def channels(self) -> int:
        """1 for gray, 3 for colour."""
        return self.input_shape[3] if self.channels_last else self.input_shape[1]
