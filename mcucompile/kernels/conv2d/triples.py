"""Convolution of int8 with plain multiplications, two for the products of three output pixels with one weight.

With the values p, q, r of three windows packed as x0 = p + 2**11 * r and x1 = q + 2**21 * r, sums of w * x0 and w * x1
modulo 2**32 hold P + 2**11 * R and Q + 2**21 * R, from which P, Q and R follow if each has at most 21 bits: the second
yields Q and the lower 11 bits of R, and what is left of the first is P and the upper bits of R, 22 bits further up.
Long windows are cut into segments whose sums have 21 bits, whatever the input is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..stream import Stream
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .packing import fill_groups, fits_int32, folded_bias, weight_rows

PIXELS = 3
CHANNELS = 4
WORDS = 2  # per triple of values or sums
SHARED_NBYTES = 120  # a layer's part of the assembly, of which a network has one
SHORT_RUN = 12  # values
REACH = 1 << 20  # sums are in -REACH .. REACH - 1
UNITS = np.array([1 + (1 << 11), 1 + (1 << 21)])  # the two words of three ones
CYCLES = {  # of a step's twelve products, three outputs, and packing three values
    "cortex-m3": (26.5, 50.0, 11.0),
    "cortex-m4": (17.6, 38.0, 10.0),
    "cortex-m7": (12.3, 19.0, 6.0),
    "cortex-m33": (14.7, 35.0, 8.0),
    "cortex-m55": (13.6, 29.0, 8.0),
}
GATHER_FACTOR = {Gather.NEVER: 1.0, Gather.BORDER: 1.2, Gather.ALWAYS: 2.7}  # of packing
GEMMLOWP_CYCLES = 8.0  # per output, more than for one rounding


@dataclass(frozen=True)
class Segments:
    """A window of `patch` values in segments of `steps`. `is_late`: the bias is added to what they sum up to."""

    count: int
    steps: int
    is_late: bool


@dataclass(frozen=True)
class TriplesParams:
    """`block_words`: weights of four channels for all segments; `channel_words`: the other constants of a channel."""

    g: Geometry
    segments: Segments
    block_words: int
    channel_words: int
    scaling: Scaling

    @property
    def unroll(self) -> int:
        """Values of a run whose packing is written out: all of a short one."""
        return self.g.run if self.g.run <= SHORT_RUN else self.g.unroll


class Triples(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "triples"
    isa = Isa.MAINLINE
    takes_step = True

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> TriplesParams:
        g, s = geometry(node), scaling(node)
        cut = segments(node, g)
        words = 1 + cut.is_late + (s.shift is None)
        return TriplesParams(g, cut, CHANNELS * WORDS * cut.count + g.patch, words, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node)
        cut, bias = segments(node, g), folded_bias(node).values
        channels = channel_constants(node, bias)[:, 0 if cut.is_late else 1 :]
        return (
            Packed("weight", weight_stream(flat_rows(node, g), bias, g, cut)),
            Packed("channel", fill_groups(channels, g.groups, CHANNELS)),
        )

    def weight_stream(self, node: Node) -> Stream:
        g = geometry(node)
        cut = segments(node, g)
        rest = g.patch - cut.steps * (cut.count - 1)
        runs = [CHANNELS * n for n in (*[cut.steps] * (cut.count - 1), rest)]
        blocks = g.groups * g.filled_outputs(CHANNELS) // CHANNELS
        return Stream((*[CHANNELS * WORDS] * (cut.count * blocks), 0), (*runs,) * blocks)

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node)
        return 4 * WORDS * g.patch + (0 if g.gather is Gather.NEVER else PIXELS * g.patch)

    def trace(self, node: Node) -> Trace:
        g = geometry(node)
        return pixel_trace(g, 1, PIXELS, reads_first=g.groups == 1)

    def code_nbytes(self, node: Node) -> int:
        g = geometry(node)
        gathered = 0 if g.gather is Gather.NEVER else 220
        several = 95 if segments(node, g).count > 1 else 0
        return SHARED_NBYTES + 440 + (0 if g.is_pointwise else 230) + gathered + several

    def cycles(self, node: Node, core: Core) -> float:
        g, (step, outputs, packing) = geometry(node), CYCLES.get(core.cpu, CYCLES["cortex-m3"])
        scaled = scaling(node)
        outputs += PIXELS * ((GEMMLOWP_CYCLES if scaled.gemmlowp else 0.0) + (0.0 if scaled.saturates_int8 else 4.0))
        count = segments(node, g).count
        block = g.patch * step + CHANNELS * outputs + (40 if count == 1 else 210 * count)
        blocks = g.filled_outputs(CHANNELS) // CHANNELS
        packed = g.patch * packing * GATHER_FACTOR[g.gather]
        return -(-g.pixels // PIXELS) * g.groups * ((30 if g.is_pointwise else 120) + packed + blocks * block)


def flat_rows(node: Node, g: Geometry) -> Array:
    """The weights as [O, patch]."""
    return weight_rows(node, g).reshape(g.out_channels, g.patch)


def segments(node: Node, g: Geometry) -> Segments:
    """The fewest segments that no input makes exceed 21 bits, with the bias in the first one if there is room."""
    rows, bias = flat_rows(node, g).astype(np.int64), folded_bias(node).values
    for count in range(1, g.patch + 1):
        steps = -(-g.patch // count)
        low, high = sum_bounds(rows, steps)
        for is_late in (False, True):
            first = np.zeros_like(low)
            first[:, 0] = 0 if is_late else bias
            if (low + first).min() >= -REACH and (high + first).max() < REACH:
                return Segments(-(-g.patch // steps), steps, is_late)
    raise AssertionError(node.where)


def sum_bounds(rows: Array, steps: int) -> tuple[Array, Array]:
    """The least and the largest sum of products of each segment of int64 weights [O, K], [O, segments]."""
    starts = np.arange(0, rows.shape[1], steps)
    negative = np.add.reduceat(np.minimum(rows, 0), starts, axis=1)
    positive = np.add.reduceat(np.maximum(rows, 0), starts, axis=1)
    return 127 * negative - 128 * positive, 127 * positive - 128 * negative


def weight_stream(rows: Array, bias: Array, g: Geometry, cut: Segments) -> Array:
    """int8: per four channels and segment the eight words that sums start from, then four weights for each value."""
    filled = fill_groups(rows, g.groups, CHANNELS).reshape(-1, CHANNELS, g.patch)
    start = fill_groups(np.zeros_like(bias) if cut.is_late else bias, g.groups, CHANNELS).astype(np.int64)
    words = (start[:, None] * UNITS).astype(np.uint32).view(np.int8).reshape(-1, CHANNELS * WORDS * 4)
    parts = []
    for first in range(0, g.patch, cut.steps):
        values = filled[:, :, first : first + cut.steps].swapaxes(1, 2)
        parts += [words if first == 0 else np.zeros_like(words), values.reshape(len(filled), -1)]
    return np.concatenate(parts, axis=1)
