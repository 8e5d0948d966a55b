"""Depthwise convolution of int8 with plain multiplications: one channel at a time, from a plane of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.packing import fits_int32, folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..stream import Stream, whole
from ..trace import Trace
from .planes import Axis, axes_of, channel_trace

STRIPS = (6, 5, 4, 3, 2, 1)  # outputs at once; more sums than that leave no registers for weights
RUN_TAPS = 4  # weights held at once
WRITTEN_PRODUCTS = 150  # of a strip, written out; more are a loop over rows
COPIED = (16, 15, 14, 13, 12, 11, 10, 9, 8)  # values of a row whose copying is written out
CYCLES = {  # per product, load, value copied, output and strip
    "cortex-m3": (2.0, 1.7, 3.5, 7.5, 25.0),
    "cortex-m4": (1.0, 1.7, 3.5, 4.5, 25.0),
    "cortex-m7": (0.8, 0.7, 2.0, 3.0, 12.0),
    "cortex-m33": (1.0, 1.1, 2.5, 4.0, 20.0),
    "cortex-m55": (1.0, 1.1, 2.5, 4.0, 20.0),
}
GEMMLOWP_CYCLES = 8.0  # per output, more than for one rounding


@dataclass(frozen=True)
class Run:
    """`taps` neighbouring weights of a row, from `first` on."""

    first: int
    taps: int


@dataclass(frozen=True)
class StripsParams:
    """Rows of the plane run along `along`: rows of the image, or columns. A row of outputs is `trips` strips of
    `strip` outputs, then one of `rest`. `channel_words` are the constants of an output channel.
    """

    batch: int
    channels: int
    multiplier: int
    along: Axis
    across: Axis
    fill: int
    strip: int
    channel_words: int
    scaling: Scaling

    @property
    def trips(self) -> int:
        return self.along.outputs // self.strip

    @property
    def rest(self) -> int:
        return self.along.outputs % self.strip

    @property
    def sizes(self) -> tuple[int, ...]:
        """The different strips."""
        return tuple(n for n in (self.strip, self.rest) if n)

    @property
    def pitch(self) -> int:
        return self.along.reach

    @property
    def plane_nbytes(self) -> int:
        return self.pitch * self.across.reach

    @property
    def inside(self) -> int:
        """Where the image begins in the plane."""
        return self.across.pad * self.pitch + self.along.pad

    @property
    def copy_chunk(self) -> int:
        """Values of a row whose copying is written out: all of a short one."""
        count = self.along.copied
        return count if count <= COPIED[0] else next((n for n in COPIED if count % n == 0), COPIED[-1])

    @property
    def has_border(self) -> bool:
        return any(axis.pad or axis.copied < axis.reach for axis in (self.along, self.across))

    @property
    def image_nbytes(self) -> tuple[int, int]:
        """Of an image of the input, and of the output."""
        axes = (self.along, self.across)
        return max(a.size * a.x_step for a in axes), max(a.outputs * a.y_step for a in axes)

    @property
    def taps(self) -> int:
        return self.along.taps * self.across.taps

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The weights of a row, cut so that those of a run stay in registers."""
        count = -(-self.along.taps // RUN_TAPS)
        ends = [self.along.taps * k // count for k in range(count + 1)]
        return tuple(Run(first, end - first) for first, end in pairwise(ends))

    @property
    def is_written_out(self) -> bool:
        """Whether all rows of a strip are."""
        return self.taps * self.strip <= WRITTEN_PRODUCTS or self.across.taps == 1

    def products(self, run: Run, outputs: int) -> list[tuple[int, list[tuple[int, int]]]]:
        """For each value that a run of a strip needs, in order: its place, and (output, weight) of its products."""
        stride = self.along.stride
        pairs = [(o * stride + k, (o, k)) for k in range(run.first, run.first + run.taps) for o in range(outputs)]
        return [(at, sorted(p for a, p in pairs if a == at)) for at in sorted({a for a, _ in pairs})]

    def loads(self, outputs: int) -> int:
        """Of a strip, weights included."""
        return self.across.taps * sum(len(self.products(run, outputs)) + run.taps for run in self.runs)


class Strips(Kernel):
    op: ClassVar[type[Op]] = DepthwiseConv2d
    variant = "strips"
    isa = Isa.MAINLINE

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, DepthwiseConv2d)
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and node.op.window.dilations == (1, 1) and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> StripsParams:
        """The cheapest on a Cortex-M3: what is written out is the same for all cores."""
        fastest = CYCLES["cortex-m3"]
        return min(candidates(node), key=lambda p: (cycles_of(p, fastest), len(p.sizes)))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        p, weight = self.params(node), node.inputs[1].const
        assert weight is not None
        along_rows = axes_of(node)[0] == p.along
        taps: Array = weight.transpose(2, 0, 1) if along_rows else weight.transpose(2, 1, 0)
        channels = channel_constants(node, folded_bias(node).values)
        return Packed("weight", np.ascontiguousarray(taps)), Packed("channel", channels)

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values)

    def scratch_nbytes(self, node: Node) -> int:
        return self.params(node).plane_nbytes

    def trace(self, node: Node) -> Trace:
        return channel_trace(node)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        rows = 1 if p.is_written_out else p.across.taps
        return 330 + sum(4 * (p.taps * n + p.loads(n)) // rows + 18 * n for n in p.sizes)

    def cycles(self, node: Node, core: Core) -> float:
        return cycles_of(self.params(node), CYCLES.get(core.cpu, CYCLES["cortex-m3"]))


def candidates(node: Node) -> list[StripsParams]:
    """Strips of every length, along rows and along columns."""
    x, s, (right, down) = node.inputs[0], scaling(node), axes_of(node)
    fill = x.quant.zero if x.quant else 0
    multiplier, words = node.output.shape[3] // x.shape[3], 3 if s.shift is None else 2
    return [
        StripsParams(x.shape[0], x.shape[3], multiplier, along, across, fill, strip, words, s)
        for along, across in ((right, down), (down, right))
        for strip in STRIPS
        if strip <= along.outputs
    ]


def cycles_of(p: StripsParams, costs: tuple[float, float, float, float, float]) -> float:
    per_product, per_load, per_value, per_output, per_strip = costs
    per_output += (GEMMLOWP_CYCLES if p.scaling.gemmlowp else 0.0) + (0.0 if p.scaling.saturates_int8 else 4.0)
    copied = (p.along.copied * per_value + 10) * p.across.copied
    around = per_strip if p.trips > 1 else 0.3 * per_strip
    strip = {n: p.taps * n * per_product + p.loads(n) * per_load + n * per_output + around for n in p.sizes}
    row = p.trips * strip[p.strip] + (strip[p.rest] if p.rest else 0) + 12
    channel = copied + p.multiplier * (row * p.across.outputs + 30)
    return p.batch * p.channels * channel + (2 * p.plane_nbytes if p.has_border else 0)
