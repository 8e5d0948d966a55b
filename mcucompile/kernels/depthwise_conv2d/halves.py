"""Depthwise convolution of int8 on Armv6-M: two outputs in the halves of a word, one channel at a time.

An axis of the output is cut into two halves, which may overlap by one. Word (i, j) of the plane holds the values that
the first half's windows need there and those of the second half's; conv2d/half_groups.py has the identity by which one
multiplication with a weight makes a product for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from ...ir import Array, DType, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.half_groups import Excess, excess_count, initial_sums, split_excess
from ..conv2d.halves import sum_reach
from ..conv2d.packing import fits_int32, folded_bias
from ..digits import digit_words, digits
from ..kernel import Kernel, Packed
from ..trace import Trace
from .geometry import tap_rows
from .half_plane import POOL, HalvesParams
from .planes import axes_of, channel_trace

MAX_STRIDE = len(POOL) - 1  # for two outputs at a time
MAX_FRAME = 256  # bytes of stack for the weights of a window
MAX_PLANE = 1 << 15  # bytes: excesses name a word by 16 bits
MAX_BLOCK = 1400  # bytes of code, which branches must span
BLOCK_OVERHEAD = 26  # cycles beside products and requantization
SCALE_OVERHEAD = 34  # cycles of two sums, beside the digits


class Halves(Kernel):
    op = DepthwiseConv2d
    variant = "halves"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, DepthwiseConv2d)
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output)):
            return False
        taps = node.op.window.taps
        if node.op.window.dilations != (1, 1) or 4 * taps > MAX_FRAME or not fits_int32(folded_bias(node).values):
            return False
        return digits(node, sum_reach_of(node)) is not None and any(candidates(node))

    def params(self, node: Node) -> HalvesParams:
        return min(candidates(node), key=lambda p: channel_cycles(node, p, 2))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return (Packed("weight", stream(node, self.params(node))),)

    def scratch_nbytes(self, node: Node) -> int:
        return 4 * self.params(node).plane_words

    def trace(self, node: Node) -> Trace:
        return channel_trace(node)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 340 + p.block_nbytes + 60 * p.digits.count + (100 if p.has_excess else 0)

    def cycles(self, node: Node, core: Core) -> float:
        if not core.cpu.startswith("cortex-m0"):
            return 15.0 * node.op.macs(node) + 40 * node.output.size
        p = self.params(node)
        return p.batch * p.channels * channel_cycles(node, p, 1 if core.cpu == "cortex-m0plus" else 2)


def sum_reach_of(node: Node) -> int:
    return sum_reach(folded_bias(node).values, tap_rows(node))


def candidates(node: Node) -> Iterator[HalvesParams]:
    """Both directions of rows, both axes to pair, and where sums are split."""
    op, x, y, d = node.op, node.inputs[0], node.output, digits(node, sum_reach_of(node))
    assert isinstance(op, DepthwiseConv2d)
    assert d is not None
    fill = x.quant.zero if x.quant else 0
    for columns, pairs_along in product((False, True), (True, False)):
        along, across = axes_of(node)[:: -1 if columns else 1]
        half = -(-(along if pairs_along else across).outputs // 2)
        row_outputs = half if pairs_along else along.outputs
        outputs = 2 if row_outputs > 1 and along.stride <= MAX_STRIDE else 1
        for size in sorted({-(-along.taps // parts) for parts in range(1, along.taps + 1)}):
            excess = excess_count(group_rows(node, columns, size), size)
            p = HalvesParams(
                x.shape[0], x.shape[3], y.shape[3] // x.shape[3], columns, along, across,
                pairs_along, half, outputs, size, excess > 0, fill, d,
            )  # fmt: skip
            if 4 * p.plane_words < MAX_PLANE and p.block_nbytes < MAX_BLOCK:
                yield p


def group_rows(node: Node, columns: bool, size: int) -> Array:
    """The weights as [O, K], every row of the plane's windows filled up with zeros to whole groups."""
    weight = node.inputs[1].const
    assert weight is not None
    rows = weight.transpose(2, 1, 0) if columns else weight.transpose(2, 0, 1)
    filled = np.pad(rows, ((0, 0), (0, 0), (0, -rows.shape[2] % size)))
    return filled.reshape(len(rows), -1)


def stream(node: Node, p: HalvesParams) -> Array:
    """int32 words in the order of reading: per output channel what the sums of both halves are off by, the digits, the
    weights as bytes, and where there is any a list of excesses, which ends with 0.
    """
    bias, words = folded_bias(node).values, digit_words(node, p.digits, node.output.shape[3])
    parts: list[Array] = []
    for row, b, scale in zip(group_rows(node, p.columns, p.size), bias, words, strict=True):
        kept, excesses = split_excess(row, p.size)
        taps = kept.reshape(p.across.taps, -1)[:, : p.along.taps].astype(np.int8).ravel()
        weights = np.pad(taps, (0, 4 * p.weight_words - p.taps)).view(np.int32)
        total, _ = initial_sums(int(b), p.groups + len(excesses))
        low = total - (int(b) << 16)  # the lower half's sum is total - (high << 16) + low
        listed = [excess_word(e, p, len(row) // p.across.taps) for e in excesses] + [0] if p.has_excess else []
        parts.append(np.concatenate([[int(np.int64(low & 0xFFFFFFFF).astype(np.int32)), b], scale, weights, listed]))
    return np.concatenate(parts).astype(np.int32)


def excess_word(excess: Excess, p: HalvesParams, row_length: int) -> int:
    """The byte offset of the tap's word in the plane, and above it the weight."""
    row, tap = divmod(excess.tap, row_length)
    return 4 * (row * p.pitch + tap) + (excess.weight << 16)


def channel_cycles(node: Node, p: HalvesParams, fetch: int) -> float:
    """Of one channel of the input, with all that become of it, on a core whose taken branches cost `fetch` more."""
    blocks = p.blocks * p.row_count
    row = p.row_words + -(-p.row_words // 4) + p.along.taps * (2 + 2 * p.outputs) - p.outputs
    products = p.across.taps * (row + 1)
    splits = 4 * p.outputs * p.groups
    excess = excess_count(group_rows(node, p.columns, p.size), p.size) / node.output.shape[3]
    extra = (8 + excess * (16 + 8 * p.outputs + fetch)) if p.has_excess else 0
    scaled = SCALE_OVERHEAD + 7.5 * p.digits.count + (11 if p.digits.gemmlowp else 0)
    convolved = blocks * (products + splits + extra + p.outputs * scaled + BLOCK_OVERHEAD) + 24 * p.row_count
    first, last = p.filled_rows
    packed = (last - first) * (25 + sum(10 + (13 if all(s.inside) else 9) * s.count for s in p.segments))
    return packed + 60 + p.multiplier * (convolved + 90 + 10 * p.taps)
