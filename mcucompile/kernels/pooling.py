"""What the pooling kernels share: how the window walks over the image, and which rows are read when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import Node
from ..ops.average_pool import AveragePool
from ..ops.binary_max_pool import BinaryMaxPool
from ..ops.max_pool import MaxPool
from ..ops.window import Window
from .trace import Range, Sweep, Trace


@dataclass(frozen=True)
class PoolWalk:
    """Sizes in elements. The taps of a window that lie in the image are rows top, top + dy, ... below bottom."""

    batch: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    window: Window

    @property
    def row(self) -> int:
        return self.width * self.channels

    @property
    def overhangs(self) -> tuple[bool, bool, bool, bool]:
        """Whether a window reaches beyond the image: above, left, below, right."""
        (sh, sw), (eh, ew), (top, left, _, _) = self.window.strides, self.window.extent, self.window.pads
        last_row, last_column = (self.out_height - 1) * sh - top, (self.out_width - 1) * sw - left
        return top > 0, left > 0, last_row + eh > self.height, last_column + ew > self.width

    def rows(self, oy: int) -> tuple[int, int]:
        """The first row and the end of the rows that the windows of an output row read; equal when there are none."""
        start = oy * self.window.strides[0] - self.window.pads[0]
        taps = [start + k * self.window.dilations[0] for k in range(self.window.kernel[0])]
        inside = [row for row in taps if 0 <= row < self.height]
        return (inside[0], inside[-1] + 1) if inside else (0, 0)


def pool_walk(node: Node) -> PoolWalk:
    assert isinstance(node.op, AveragePool | BinaryMaxPool | MaxPool)
    (n, h, w, c), (_, oh, ow, _) = node.inputs[0].shape, node.output.shape
    return PoolWalk(n, h, w, c, oh, ow, node.op.window)


def pool_counts(node: Node) -> tuple[float, ...]:
    """What the plain kernels do one by one: taps, rows of taps, outputs; then those at which borders are looked for."""
    walk, size = pool_walk(node), float(node.output.size)
    overhanging = size if any(walk.overhangs) else 0.0
    return walk.window.taps * size, walk.window.kernel[0] * size, size, walk.window.kernel[0] * overhanging


def group_counts(walk: PoolWalk, width: int) -> tuple[float, ...]:
    """What kernels do that take `width` channels at a time: taps and results of whole groups, and of what is left."""
    pixels = walk.batch * walk.out_height * walk.out_width
    groups, rest = (pixels * n for n in divmod(walk.channels, width))
    taps = walk.window.taps
    return float(taps * groups), float(groups), float(taps * rest), float(rest), float(pixels)


def vector_counts(walk: PoolWalk, width: int) -> tuple[float, ...]:
    """The same where the last group may be narrower."""
    pixels = walk.batch * walk.out_height * walk.out_width
    groups = pixels * -(-walk.channels // width)
    return float(walk.window.taps * groups), float(groups), float(pixels)


def has_inside_taps(node: Node) -> bool:
    """Whether every window has a tap in the image."""
    walk = pool_walk(node)
    return walk.window.reaches_inside(walk.height, walk.width)


def pool_trace(node: Node) -> Trace:
    """An iteration per output row. Inside a row reads and writes alternate: its input counts as read until the next."""
    return tuple(row_sweeps(pool_walk(node), node.inputs[0].dtype.nbytes, node.output.dtype.nbytes))


def row_sweeps(walk: PoolWalk, x_nbytes: int, y_nbytes: int) -> Iterator[Sweep]:
    step = walk.out_width * walk.channels * y_nbytes
    before: tuple[Range, ...] = ()
    for i in range(walk.batch * walk.out_height):
        image, oy = divmod(i, walk.out_height)
        first, end = walk.rows(oy)
        offset = (image * walk.height + first) * walk.row * x_nbytes
        rows = Range(0, offset, 0, (end - first) * walk.row * x_nbytes) if end > first else None
        reads = (rows,) if rows else ()
        yield Sweep(1, (*before, *reads), (Range(1, i * step, 0, step),))
        before = reads
    if before:
        yield Sweep(1, before, ())
