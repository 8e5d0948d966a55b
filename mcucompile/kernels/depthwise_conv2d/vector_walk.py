"""How vector_planes.py walks over an image: strips of one or two rows of outputs, pairs of rows in a ring, channels in
passes of sixteen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ...ir import Array, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..trace import Range, Sweep, Trace

LANES = 8  # columns of two rows in a vector
CHANNELS = 16  # that are copied at once


@dataclass(frozen=True)
class Axis:
    """One axis of the layer: sizes, and bytes from one element to the next in input and output."""

    size: int
    out_size: int
    kernel: int
    stride: int
    pad: int
    x_stride: int
    y_stride: int


@dataclass(frozen=True)
class Planes:
    """Along `line` outputs are computed one after the other, `rows` at once; `across` are the strips of `rows` outputs.

    A window lies in `pairs` pairs of rows and is gathered in `vectors` vectors.
    """

    batch: int
    channels: int
    out_channels: int
    line: Axis
    across: Axis
    rows: int
    pairs: int
    vectors: int
    fill: int
    is_upright: bool

    @property
    def strips(self) -> int:
        return -(-self.across.out_size // self.rows)

    @property
    def passes(self) -> int:
        """How many times the image is walked through, for as many channels as are copied at once."""
        return -(-self.channels // CHANNELS)

    @property
    def pass_outputs(self) -> int:
        """Output channels of a pass, if it is not the last one."""
        return min(CHANNELS, self.channels) * self.multiplier

    @property
    def tail(self) -> int:
        """Channels of the last pass, if it is not full."""
        return self.channels % CHANNELS

    @property
    def counts(self) -> bool:
        """Whether passes differ in how many channels they have."""
        return self.passes > 1 and self.tail > 0

    @property
    def multiplier(self) -> int:
        return self.out_channels // self.channels

    @property
    def column(self) -> int:
        """Bytes of the ring for one column of a pair of rows."""
        return 2 * CHANNELS

    @property
    def columns(self) -> int:
        """Of the ring: with the padding, and what the last outputs read beside it."""
        return max(self.line.pad + self.line.size, (self.line.out_size - 1) * self.line.stride + self.line.kernel)

    @property
    def slot(self) -> int:
        """Bytes of the ring for a pair of rows."""
        return self.columns * self.column

    @property
    def ring(self) -> int:
        return self.pairs * self.slot

    @property
    def is_halved(self) -> bool:
        """Whether there are registers for four outputs at a time only."""
        return self.rows * self.vectors > 2

    @property
    def image_nbytes(self) -> tuple[int, int]:
        """Of an input and an output image."""
        x = self.line.size * self.across.size * self.channels
        return x, self.line.out_size * self.across.out_size * self.out_channels

    @property
    def block(self) -> int:
        """Outputs along the line that are computed at once."""
        return (4 if self.is_halved else 8) // self.rows

    @property
    def blocks(self) -> int:
        return self.line.out_size // self.block

    @property
    def rest(self) -> int:
        """Outputs along the line behind the last block."""
        return self.line.out_size % self.block

    @property
    def is_odd(self) -> bool:
        """Whether the last strip has one row of outputs only."""
        return self.across.out_size % self.rows > 0

    def mask(self, count: int, rows: int) -> int:
        """The predicate for `count` outputs along the line in a strip of `rows` rows; see `places`."""
        lanes = [self.lane(lane) for lane in range(8)]
        stored = [
            column < count and row < rows and not (self.is_halved and lane % 2)
            for lane, (column, row) in enumerate(lanes)
        ]
        return sum(3 << (2 * lane) for lane, is_stored in enumerate(stored) if is_stored)

    def lane(self, lane: int) -> tuple[int, int]:
        """(column, row) of the output in a 16-bit lane; even ones are of the first vector of sums, odd of the other."""
        vector, k = lane % 2, lane // 2
        if self.rows == 1:
            return 4 * vector + k, 0
        return 2 * vector + k % 2, k // 2

    @property
    def places(self) -> tuple[int, ...]:
        """Where the outputs of a block go, by lane."""
        return tuple(c * self.line.y_stride + r * self.across.y_stride for c, r in map(self.lane, range(8)))

    def offsets(self, phase: int) -> Array:
        """Where a window is in the ring, in units of two bytes, if its first pair of rows is in slot `phase`."""
        taps = np.arange(self.vectors * LANES)
        column, pair = taps // self.pairs, taps % self.pairs
        at = (pair + phase) % self.pairs * self.slot + column * self.column
        return np.where(column < self.line.kernel, at // 2, 0)


def walks(node: Node) -> bool:
    """Whether strips follow each other as pairs of rows do."""
    op = node.op
    assert isinstance(op, DepthwiseConv2d)
    p = planes(node)
    return op.window.dilations == (1, 1) and (p.across.stride == 2 // p.rows or p.across.out_size == 1)


def planes(node: Node) -> Planes:
    """The walk along image rows, or down the columns of an image of one column."""
    op, x, y = node.op, node.inputs[0], node.output
    assert isinstance(op, DepthwiseConv2d)
    (n, h, w, c), (_, oh, ow, o) = x.shape, y.shape
    (kh, kw), (sh, sw), (top, left, *_) = op.window.kernel, op.window.strides, op.window.pads
    line = Axis(w, ow, kw, sw, left, c, o)
    across = Axis(h, oh, kh, sh, top, w * c, ow * o)
    is_upright = w == ow == kw == 1
    if is_upright:
        line, across = across, line
    rows = 2 if across.stride == 1 and across.out_size > 1 else 1
    pairs = -(-(across.kernel + rows - 1) // 2)
    vectors = -(-pairs * line.kernel // LANES)
    return Planes(n, c, o, line, across, rows, pairs, vectors, x.quant.zero if x.quant else 0, is_upright)


def walk_trace(p: Planes) -> Trace:
    walk = product(range(p.batch), range(p.passes), range(p.strips))
    return tuple(s for image, part, strip in walk for s in strip_sweeps(p, image, part, strip))


def strip_sweeps(p: Planes, image: int, part: int, strip: int) -> list[Sweep]:
    """The rows that a strip reads before it writes, of the channels of pass number `part`."""
    (x_image, y_image), rows = p.image_nbytes, min(p.rows, p.across.out_size - strip * p.rows)
    start = max(2 * (strip + p.pairs - 1 if strip else 0) - p.across.pad, 0)
    stop = min(2 * (strip + p.pairs) - p.across.pad, p.across.size)
    read, written = max(stop - start, 0) * p.line.size, rows * p.line.out_size  # pixels
    channels = min(CHANNELS, p.channels - part * CHANNELS)
    at = image * x_image + start * p.line.size * p.channels + part * CHANNELS
    to = image * y_image + strip * p.rows * p.line.out_size * p.out_channels + part * p.pass_outputs
    if p.passes == 1:
        reads = (Range(0, at, 0, read * channels),) if read else ()
        return [Sweep(1, reads, (Range(1, to, 0, written * p.out_channels),))]
    reading = [Sweep(read, (Range(0, at, p.channels, channels),), ())] if read else []
    return [*reading, Sweep(written, (), (Range(1, to, p.out_channels, channels * p.multiplier),))]
