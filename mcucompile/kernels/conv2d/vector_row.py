"""Convolution of int8 with one output pixel, with vectors of 16 products: eight channels at a time, in assembly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, vector_constants
from ..stream import Stream, whole
from ..trace import Range, Sweep, Trace
from .geometry import Gather, geometry
from .packing import fits_int32, folded_bias

LANES = 16
CHANNELS = 8
UNROLL = 8
BY_LANE = (0, 2, 4, 6, 1, 3, 5, 7)  # channels of the first vector of sums, then those of the other


@dataclass(frozen=True)
class VectorRowParams:
    """`steps` of 16 values, the last of which may have `tail` only: `trips` times `unroll`, and the rest.

    `mask` outputs are stored if there are fewer than eight; `has_steps`: the constants say how far the next ones are.
    """

    size: int
    steps: int
    tail: int
    trips: int
    unroll: int
    mask: int
    has_steps: bool
    channel_nbytes: int
    scaling: Scaling

    @property
    def rest(self) -> tuple[int, ...]:
        """Steps behind the loop, or all if there is none."""
        return tuple(range(self.trips * self.unroll, self.steps))


class VectorRow(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "vector_row"
    isa = Isa.MVE

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        g = geometry(node)
        is_row = g.pixels == 1 and g.gather is Gather.NEVER and (g.rows == 1 or g.run == g.row_stride)
        return int8 and is_row and scaling(node).high_word and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> VectorRowParams:
        size, outputs, s = geometry(node).patch, node.output.size, scaling(node)
        steps, tail = -(-size // LANES), size % LANES
        trips = (steps - (tail > 0)) // UNROLL if steps > UNROLL + 2 else 0
        has_steps = outputs > CHANNELS and outputs % CHANNELS > 0
        nbytes = len(rounds(outputs)) * 4 * (CHANNELS * (3 if s.shift is None else 2) + has_steps)
        mask = outputs if outputs < CHANNELS else 0
        return VectorRowParams(size, steps, tail, trips, UNROLL, mask, has_steps, nbytes, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        weight, p, taken = node.inputs[1].const, self.params(node), rounds(node.output.size)
        assert weight is not None
        rows = np.pad(weight.reshape(len(weight), -1), ((0, 0), (0, p.steps * LANES - p.size)))
        weights = rows.reshape(len(rows), p.steps, LANES)[taken].swapaxes(1, 2)  # [rounds, steps, 8, 16]
        lanes = taken[:, BY_LANE]
        channels = vector_constants(node, folded_bias(node).values)[lanes].swapaxes(1, 2).reshape(len(taken), -1)
        if p.has_steps:
            channels = np.column_stack([channels, np.append(np.diff(taken[:, 0]), 0)]).astype(np.int32)
        return Packed("weight", weights), Packed("channel", channels)

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values)

    def trace(self, node: Node) -> Trace:
        return (Sweep(1, (Range(0, 0, 0, node.inputs[0].size),), (Range(1, 0, 0, node.output.size),)), Sweep(
            1, (Range(0, 0, 0, node.inputs[0].size),), ()
        ))  # fmt: skip

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 150 + 68 * (len(p.rest) + (p.unroll if p.trips else 0)) + (40 if p.trips else 0)

    def cycles(self, node: Node, core: Core) -> float:
        p = self.params(node)
        return len(rounds(node.output.size)) * (16.5 * p.steps + 32 + 14 * p.trips) + 40


def rounds(outputs: int) -> Array:
    """The channels of each round, [rounds, 8]. The last round may compute some a second time."""
    first = np.minimum(np.arange(0, outputs, CHANNELS), max(outputs - CHANNELS, 0))
    return np.asarray(np.minimum(first[:, None] + np.arange(CHANNELS), outputs - 1))
