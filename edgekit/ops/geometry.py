"""The geometry of a step whose filter slides over an image: from it follows what a kernel may claim."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Geometry:
    """A filter sliding over images [N, H, W, C]: sizes in pixels, as (height, width).

    FULLY_CONNECTED is a filter of one pixel over images of one pixel, one for each row.
    """

    batches: int
    input_size: tuple[int, int]
    input_channels: int
    output_size: tuple[int, int]
    output_channels: int
    filter_size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad_before: tuple[int, int] = (0, 0)
    groups: int = 1
    """Parts of the channels that do not see each other: as many as input channels if each is alone."""

    @property
    def pad_behind(self) -> tuple[int, int]:
        """Rows and columns behind the image at which some output looks."""
        height, width = (max(self.reach(axis) - self.input_size[axis], 0) for axis in (0, 1))
        return height, width

    @property
    def leaves_image(self) -> bool:
        """Whether some output looks at pixels outside the image."""
        return any((*self.pad_before, *self.pad_behind))

    def reach(self, axis: int) -> int:
        """Return one more than the last input row (axis 0) or column (1) at which an output looks."""
        last = (self.output_size[axis] - 1) * self.stride[axis] - self.pad_before[axis]
        return last + (self.filter_size[axis] - 1) * self.dilation[axis] + 1

    def params(self) -> dict[str, int]:
        """Return strides and padding under the names of the C structs."""
        return {
            "stride_height": self.stride[0],
            "stride_width": self.stride[1],
            "pad_top": self.pad_before[0],
            "pad_left": self.pad_before[1],
        }
