"""How a convolution kernel walks over its input: the compile-time parameters that all its variants share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from ...ir import DType, Node
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ...ops.window import Window
from ..kernel import Tile
from ..trace import Range, Sweep, Trace

MOST_TRACES = 256  # that are remembered: layers are alike, bands of one layer even more


class Gather(Enum):
    """When a window is copied into a contiguous patch before it is multiplied."""

    NEVER = "never"  # no window touches the padding
    BORDER = "border"  # windows that touch the padding
    ALWAYS = "always"  # dilated, grouped, or rows of awkward length


@dataclass(frozen=True)
class Geometry:
    """Sizes in elements. A window is `rows` runs of `run` contiguous elements, `row_stride` apart in the image.

    `pixel_step`: from one output pixel to the next.
    """

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
    fill: int
    element: DType
    pixel_step: int

    @property
    def is_pointwise(self) -> bool:
        """Whether a window is one pixel's channels, and the next window follows at once."""
        return self.window == Window((1, 1)) and self.gather is Gather.NEVER and self.rows == 1

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.batch * self.out_height * self.out_width

    @property
    def group_channels(self) -> int:
        return self.channels // self.groups

    @property
    def group_outputs(self) -> int:
        return self.out_channels // self.groups

    def filled_outputs(self, multiple: int) -> int:
        """A group's output channels, filled up to a multiple."""
        return -(-self.group_outputs // multiple) * multiple

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
    def unroll(self) -> int:
        """Steps of an inner loop over a run that are written out."""
        return next(u for u in (4, 3, 2, 1) if self.run % u == 0)

    @property
    def row_values(self) -> int:
        """Values of one row of a window, if they lie side by side in the image, else 0."""
        side_by_side = self.window.dilations[1] == 1 and self.groups == 1
        return self.window.kernel[1] * self.channels if side_by_side else 0

    @property
    def row_nbytes(self) -> int:
        return self.row_values * self.element.nbytes

    @property
    def copies_words(self) -> bool:
        """Whether the channels of a tap can be copied as words: tensors and patches are aligned to words."""
        return self.group_channels * self.element.nbytes % 4 == 0

    @property
    def copy_type(self) -> str:
        return "mcu_word" if self.copies_words else self.element.c

    @property
    def copy_count(self) -> int:
        """Values of `copy_type` in the channels of one tap."""
        return self.group_channels * self.element.nbytes // 4 if self.copies_words else self.group_channels

    @property
    def copy_fill(self) -> str:
        """The value of `copy_type` that stands for padding."""
        if not self.copies_words:
            return str(self.fill)
        word = np.full(4 // self.element.nbytes, self.fill, self.element.numpy).view(np.uint32)[0]
        return f"0x{word:08X}u"

    @property
    def last_inside(self) -> tuple[int, int]:
        """The last row and column at which a window may start and lie inside the image."""
        (eh, ew) = self.window.extent
        return self.height - eh, self.width - ew


def geometry(node: Node, align: int = 1) -> Geometry:
    """The walk for runs whose length is a multiple of `align` elements (patches are filled up to that).

    A Dense is a 1x1 convolution over an image of one row.
    """
    op, x, y = node.op, node.inputs[0], node.output
    fill = x.quant.zero if x.quant else 0
    if isinstance(op, Dense):
        c, o = x.shape[-1], y.shape[-1]
        n, h, w, oh, ow, window, groups = 1, 1, x.size // c, 1, y.size // o, Window((1, 1)), 1
    else:
        assert isinstance(op, Conv2d)
        (n, h, w, c), (_, oh, ow, o) = x.shape, y.shape
        window, groups = op.window, op.groups
    step = node.pixel_step if isinstance(node, Tile) else o
    kh, kw = window.kernel
    contiguous = window.dilations == (1, 1) and groups == 1
    if contiguous and (kw * c) % align == 0:
        gather = Gather.BORDER if any(window.pads) else Gather.NEVER
        return Geometry(n, h, w, c, oh, ow, o, groups, window, gather, kh, kw * c, fill, x.dtype, step)
    taps = kh * kw * c // groups
    run = -(-taps // align) * align
    return Geometry(n, h, w, c, oh, ow, o, groups, window, Gather.ALWAYS, 1, run, fill, x.dtype, step)


@lru_cache(maxsize=MOST_TRACES)
def pixel_trace(g: Geometry, out_nbytes: int, step: int = 1, reads_first: bool = False) -> Trace:
    """For kernels that compute `step` output pixels after another, in order, with all their channels.

    Read is everything from a window's first byte in the image to its last. With `reads_first` the kernel has copied
    the windows before it writes; otherwise it comes back to them until the last channel is written, which the second
    sweep of each step says.
    """
    pixel, sweeps = g.pixel_step * out_nbytes, []
    for first in range(0, g.pixels, step):
        pixels = range(first, min(first + step, g.pixels))
        spans = [window_span(g, p) for p in pixels]
        start, stop = min(s for s, _ in spans), max(e for _, e in spans)
        reads = (Range(0, start, 0, stop - start),) if stop > start else ()
        sweeps.append(Sweep(1, reads, (Range(1, first * pixel, 0, len(pixels) * pixel),)))
        if not reads_first and reads:
            sweeps.append(Sweep(1, reads, ()))
    return tuple(sweeps)


def window_span(g: Geometry, pixel: int) -> tuple[int, int]:
    """First and last byte + 1 of the input that a window touches; (0, 0) if it lies outside the image altogether."""
    image, inside = divmod(pixel, g.out_height * g.out_width)
    oy, ox = divmod(inside, g.out_width)
    rows = taps_inside(oy, g.window, 0, g.height)
    columns = taps_inside(ox, g.window, 1, g.width)
    if not rows or not columns:
        return 0, 0
    base = image * g.height * g.width
    first, last = base + rows[0] * g.width + columns[0], base + rows[-1] * g.width + columns[-1]
    return first * g.channels * g.element.nbytes, (last + 1) * g.channels * g.element.nbytes


def taps_inside(position: int, window: Window, axis: int, size: int) -> range:
    """The rows or columns of the image that the window at this output position touches."""
    start, step = position * window.strides[axis] - window.pads[axis], window.dilations[axis]
    before = max(-(start // step), 0)  # taps that lie before the image
    end = min((size - 1 - start) // step + 1, window.kernel[axis])
    return range(start + before * step, start + end * step, step)
