"""Depthwise convolution of int8 from planes, with sizes that are arguments: all layers of a window share one function.

Weights and biases are shifted to the left by what a channel's shift is less than one of `SHIFTS`, so that a shift is a
literal all the same: (acc << d) * M >> (s + d) is acc * M >> s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.packing import folded_bias
from ..conv2d.requantization import WORD, bounds_of, fits_high_word, high_word, offsets_of, shifts_of
from ..kernel import Kernel, Packed
from ..stream import Stream, whole
from ..trace import Trace
from .plane_cost import SIZES_GIVEN, plane_cycles
from .planes import HELD_WORDS, PlanesParams, channel_trace, oriented, plan_of
from .products import Product, products, tap_pairs, weight_words, words_read

PITCH = 28  # words of a plane's row, or a multiple
SHIFTS = (8, 14, 20)
MOST_WEIGHT_SHIFT = 7  # 16 bits hold -128 << 7


@dataclass(frozen=True)
class CompactParams:
    """`taps` along and across rows of the plane; `stride` is that along them. `each_up`: channels are shifted apart."""

    taps: tuple[int, int]
    stride: int
    pitch: int
    shift: int
    each_up: bool

    @property
    def weights(self) -> int:
        return weight_words(self.taps[0], self.stride)

    @property
    def outputs(self) -> int:
        """Of a round; there may be a last one alone."""
        return 2 if self.stride % 2 else 1

    @property
    def channel_words(self) -> int:
        return 3 if self.each_up else 2

    @property
    def pairs(self) -> tuple[tuple[int, int | None], ...]:
        return tap_pairs(self.taps[0], self.stride)

    def products(self, outputs: int) -> tuple[Product, ...]:
        return products(outputs, self.taps[0], self.stride)

    def words(self, outputs: int) -> int:
        return words_read(outputs, self.taps[0], self.stride)


class Compact(Kernel):
    op: ClassVar[type[Op]] = DepthwiseConv2d
    variant = "compact"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        op, x = node.op, node.inputs[0]
        assert isinstance(op, DepthwiseConv2d)
        int8 = all(t.dtype is DType.I8 for t in (x, node.inputs[1], node.output))
        if not int8 or x.shape[0] > 1 or op.window.dilations != (1, 1) or not fits_high_word(node):
            return False
        q, p = high_word(node), plan_of(node)
        if q.doubled or q.low is not None or q.high is not None or p.weights * p.across.taps > HELD_WORDS:
            return False
        return _fits_shift(node, shift_of(node))

    def params(self, node: Node) -> CompactParams:
        p, up = plan_of(node), ups(node)
        shared = bool((up == up[0]).all())
        return CompactParams((p.along.taps, p.across.taps), p.along.stride, pitch_of(p), shift_of(node), not shared)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        p, up = plan_of(node), ups(node)
        weight = node.inputs[1].const
        assert weight is not None
        columns = [folded_bias(node).values.astype(np.int64) << up, shifts_of(node)[0]]
        columns += [up] if self.params(node).each_up else []
        return (
            Packed("weight", oriented(weight, p.columns)),
            Packed("channel", np.stack(columns, axis=1).astype(np.int32)),
            Packed("shape", np.asarray(shape_of(node, p), np.int32)),
        )

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values)

    def scratch_nbytes(self, node: Node) -> int:
        p = plan_of(node)
        return 4 * pitch_of(p) * p.rows

    def trace(self, node: Node) -> Trace:
        return channel_trace(node)

    def code_nbytes(self, node: Node) -> int:
        return 700

    def cycles(self, node: Node, core: Core) -> float:
        return plane_cycles(plan_of(node), core, SIZES_GIVEN)


def pitch_of(p: PlanesParams) -> int:
    return -(-p.pitch // PITCH) * PITCH


def shift_of(node: Node) -> int:
    """The shift that all channels get."""
    most = int(shifts_of(node)[1].max())
    return next((s for s in SHIFTS if s >= most), SHIFTS[-1])


def ups(node: Node) -> Array:
    """By how much the weights of each channel are shifted."""
    multipliers, shifts = shifts_of(node)
    least = shifts[multipliers != 0]
    up = np.where(multipliers == 0, 0, shift_of(node) - shifts)
    return up if least.size else np.zeros_like(up)


def _fits_shift(node: Node, shift: int) -> bool:
    """Whether weights and sums have room for being shifted."""
    up = ups(node)
    if up.min() < 0 or up.max() > MOST_WEIGHT_SHIFT:
        return False
    sums = (bounds_of(node) << up) + (np.abs(folded_bias(node).values.astype(np.int64)) << up)
    offset = offsets_of(node, np.full_like(up, shift))
    return bool(sums.max() < WORD and ((sums * shifts_of(node)[0] >> 32) + np.abs(offset) + 1).max() < WORD)


def shape_of(node: Node, p: PlanesParams) -> list[int]:
    """The arguments in the order of the enumeration in the template."""
    pitch, along, across = pitch_of(p), p.along, p.across
    odd = along.pad % 2 if along.copied else 0
    rounds, last = divmod(along.outputs, 2 if along.stride % 2 else 1)
    fill = int(np.full(2, p.fill, np.int16).view(np.int32)[0])
    return [
        p.channels, p.multiplier, pitch * p.rows if p.has_border else 0, fill, across.pad * pitch + along.pad // 2,
        across.copied, along.x_step, across.x_step, odd, (along.copied - odd) // 2, (along.copied - odd) % 2,
        across.outputs, across.stride * pitch, along.y_step, across.y_step, rounds, last,
        int(offsets_of(node, np.full(1, shift_of(node)))[0]), int(ups(node)[0]),
    ]  # fmt: skip
