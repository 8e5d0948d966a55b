"""How a convolution kernel walks over its input: the compile-time parameters that all its variants share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...ir import Node
from ...ops.conv2d import Conv2d
from ...ops.window import Window


class Gather(Enum):
    """When a window is copied into a contiguous patch before it is multiplied."""

    NEVER = "never"  # no window touches the padding
    BORDER = "border"  # windows that touch the padding
    ALWAYS = "always"  # dilated, grouped, or rows of awkward length


@dataclass(frozen=True)
class Geometry:
    """Sizes in elements. A window is `rows` runs of `run` contiguous elements, `row_stride` apart in the image."""

    batch: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    groups: int
    window: Window
    gather: Gather
    rows: int
    run: int
    fill: int | float

    @property
    def group_channels(self) -> int:
        return self.channels // self.groups

    @property
    def group_outputs(self) -> int:
        return self.out_channels // self.groups

    @property
    def row_stride(self) -> int:
        return self.width * self.channels

    @property
    def patch(self) -> int:
        """Elements of one patch."""
        return self.rows * self.run

    @property
    def tail(self) -> int:
        """Elements at the end of a patch that only fill it up; their weights are zero."""
        return self.patch - self.window.taps * self.group_channels

    @property
    def last_inside(self) -> tuple[int, int]:
        """The last row and column at which a window may start and lie inside the image."""
        (eh, ew) = self.window.extent
        return self.height - eh, self.width - ew


def geometry(node: Node, align: int = 1) -> Geometry:
    """The walk for runs whose length is a multiple of `align` elements (patches are filled up to that)."""
    op, x, y = node.op, node.inputs[0], node.output
    assert isinstance(op, Conv2d)
    (n, h, w, c), (_, oh, ow, o) = x.shape, y.shape
    kh, kw = op.window.kernel
    fill = x.quant.zero if x.quant else 0
    contiguous = op.window.dilations[1] == 1 and op.window.dilations[0] == 1 and op.groups == 1
    if contiguous and (kw * c) % align == 0:
        gather = Gather.BORDER if any(op.window.pads) else Gather.NEVER
        return Geometry(n, h, w, c, oh, ow, o, op.groups, op.window, gather, kh, kw * c, fill)
    taps = kh * kw * c // op.groups
    run = -(-taps // align) * align
    return Geometry(n, h, w, c, oh, ow, o, op.groups, op.window, Gather.ALWAYS, 1, run, fill)
