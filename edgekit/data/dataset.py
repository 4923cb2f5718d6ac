"""A set of images, with or without the class of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Image: TypeAlias = "NDArray[np.uint8] | PillowImage"
"""One image: a uint8 array [H, W] or [H, W, C] (3 channels are RGB), or an open Pillow image."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images as they were stored, before they are made the model's size and colour.

    `images` is a uint8 array [N, H, W, C], or a sequence that decodes an image when it is asked for it.
    """

    images: Sequence[Image] | NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int64] | None = field(repr=False)
    """The class of each image as an index into `classes`, or None when unknown."""
    classes: tuple[str, ...] | None
    """The names of the classes, or None when the data set has only numbers."""
    source: str
    """Where it came from, for messages."""
    names: tuple[str, ...] | None = field(default=None, repr=False)
    """The name of each image, or None: then an image is called by its number."""

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise DataError(f"'{self.source}' holds no images", "give a data set with at least one image")
        if self.labels is not None and len(self.labels) != len(self.images):
            raise DataError(f"'{self.source}' has {len(self.labels)} labels for {len(self.images)} images")

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        """Return what to call an image in a message."""
        return f"image {index} of '{self.source}'" if self.names is None else f"'{self.names[index]}'"

    def check_labels(self, count: int) -> None:
        """Raise DataError when a label is no index into `count` outputs, or may be that of another class.

        Names in another number than the outputs cannot be in the model's order: sorted names of some of the
        classes would be counted from 0 and give a wrong accuracy.
        """
        if self.labels is None:
            return
        if self.classes is not None and len(self.classes) != count:
            raise DataError(
                f"'{self.source}' has {len(self.classes)} classes, but the model has {count} outputs, "
                "and nothing says which is which",
                "give the model's labels in its own order with --labels, or use the data set of its training",
            )
        highest = int(self.labels.max())
        if highest >= count or int(self.labels.min()) < 0:
            raise DataError(
                f"'{self.source}' has labels {int(self.labels.min())}..{highest}, "
                f"but the model has {count} outputs",
                "use the data set that the model was trained for",
            )
