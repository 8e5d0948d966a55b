"""Convolution of int8 on Armv6-M: two output pixels in the halves of a word, two channels at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...encodings import SHIFTED
from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..digits import Digits, digit_words, digits
from ..kernel import Kernel, Packed
from ..stream import Stream, joined
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .half_groups import WEIGHT_ZERO, Excess, excess_count, initial_sums, split_excess
from .packing import fill_groups, fits_int32, folded_bias, weight_rows

CHANNELS = 2
PIXELS = 2
GROUP_SIZES = (2, 3, 4, 6)
MAX_UNROLL = 8
MAX_TAPS = 1 << 13  # excesses name a tap by 16 bits of byte offset
LOADED = 3  # taps that a load of several words brings at once
BYTE_OFFSETS = 32  # what LDRB reaches


@dataclass(frozen=True)
class HalvesParams:
    """`groups` groups of `size` taps make a window, `unroll` of them are written out; `weight_words` hold them for two
    channels. `has_excess`: whether blocks have a list of weights that their groups could not hold.
    """

    g: Geometry
    size: int
    groups: int
    unroll: int
    has_excess: bool
    digits: Digits
    stream_words: int = 0

    @property
    def taps(self) -> int:
        return self.size * self.groups

    @property
    def packed_words(self) -> int:
        """Two windows: in front of each group's taps the word that it starts from."""
        return (self.size + 1) * self.groups

    @property
    def stretch(self) -> int:
        """Groups whose weights byte offsets reach."""
        return BYTE_OFFSETS // (CHANNELS * self.size)

    @property
    def weight_words(self) -> int:
        return -(-CHANNELS * self.taps // 4)

    @property
    def tail(self) -> int:
        """Taps of a partly filled last group."""
        return self.g.run % self.size


class Halves(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "halves"
    isa = Isa.SCALAR
    takes_step = True

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        if not int8 or not fits_int32(folded_bias(node).values):
            return False
        return geometry(node).patch <= MAX_TAPS and digits_of(node) is not None

    def params(self, node: Node) -> HalvesParams:
        size = group_size(node)
        g, d = half_geometry(node, size), digits_of(node)
        assert d is not None
        rows = group_rows(node, size)
        groups = rows.shape[1] // size
        p = HalvesParams(g, size, groups, unrolled(groups, size), excess_count(rows, size) > 0, d)
        return replace(p, stream_words=stream(node, p).shape[1]) if g.groups > 1 else p

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return (Packed("weight", stream(node, self.params(node))),)

    def weight_stream(self, node: Node) -> Stream:
        p = self.params(node)
        return joined([row_stream(row, p) for row in stream(node, p)])

    def scratch_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 4 * p.packed_words + (0 if p.g.gather is Gather.NEVER else PIXELS * p.g.patch)

    def trace(self, node: Node) -> Trace:
        g = half_geometry(node, group_size(node))
        return pixel_trace(g, 1, PIXELS, reads_first=g.groups == 1)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        gathers = {Gather.NEVER: 0, Gather.BORDER: 400, Gather.ALWAYS: 250}[p.g.gather]
        return 290 + 2 * (7 * p.size + 8) * p.unroll + 40 * p.digits.count + (64 if p.has_excess else 0) + gathers

    def cycles(self, node: Node, core: Core) -> float:
        if not core.cpu.startswith("cortex-m0"):
            return 4.5 * node.op.macs(node) + 40 * node.output.size
        return call_cycles(node, group_size(node), 1 if core.cpu == "cortex-m0plus" else 2)


def half_geometry(node: Node, size: int) -> Geometry:
    """Windows of one run may end with a partly filled group, those of several runs are gathered then."""
    g = geometry(node)
    return g if g.rows == 1 and g.gather is not Gather.ALWAYS else geometry(node, size)


def group_size(node: Node) -> int:
    """Taps per group: large ones split their sums seldom, small ones have little excess."""
    return min(GROUP_SIZES, key=lambda size: call_cycles(node, size, 2))


def group_rows(node: Node, size: int) -> Array:
    """The weights as [O, taps], filled up with zeros to whole groups."""
    g = half_geometry(node, size)
    rows = weight_rows(node, g).reshape(g.out_channels, g.patch)
    return np.pad(rows, ((0, 0), (0, -g.patch % size)))


def unrolled(groups: int, size: int) -> int:
    """Groups that are written out: all of a few, or as many as one stretch of byte offsets reaches."""
    if groups <= MAX_UNROLL:
        return groups
    most = BYTE_OFFSETS // (CHANNELS * size)
    return next(u for u in range(most, 0, -1) if groups % u == 0)


def sum_reach(bias: Array, rows: Array) -> int:
    """The largest magnitude of a sum of stored int8 values with the weights [O, K], from the bias on."""
    rows, bias = rows.astype(np.int64), bias.astype(np.int64)
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    lowest, highest = bias - 128 * positive - 127 * negative, bias + 127 * positive + 128 * negative
    return int(np.maximum(np.abs(lowest), np.abs(highest)).max())


def digits_of(node: Node) -> Digits | None:
    """The requantization of the node's sums."""
    weight = node.inputs[1].const
    assert weight is not None
    return digits(node, sum_reach(folded_bias(node).values, weight.reshape(len(weight), -1)))


def stream(node: Node, p: HalvesParams) -> Array:
    """int32 words in the order of reading, a row for each group of the convolution: the offset of the requantization,
    then per block of two channels their initial sums, the excesses, the weights and the digits.
    """
    g, filled = p.g, p.g.filled_outputs(CHANNELS)
    rows = fill_groups(group_rows(node, p.size), g.groups, CHANNELS)
    bias = fill_groups(folded_bias(node).values, g.groups, CHANNELS)
    words = fill_groups(digit_words(node, p.digits, g.out_channels), g.groups, CHANNELS)
    streams = []
    for start in range(0, len(rows), filled):
        parts: list[Array] = [np.asarray([p.digits.offset])]
        for first in range(start, start + filled, CHANNELS):
            block = slice(first, first + CHANNELS)
            parts += [block_words(rows[block], bias[block], p), words[block].ravel()]
        streams.append(np.concatenate(parts))
    length = max(map(len, streams))
    return np.stack([np.pad(s, (0, length - len(s))) for s in streams]).astype(np.int32)


def row_stream(row: Array, p: HalvesParams) -> Stream:
    """Where the weights are in a row of `stream`."""
    raw, before, at = [], 1, 1
    for _ in range(p.g.filled_outputs(CHANNELS) // CHANNELS):
        head = 2 * CHANNELS + (1 + listed_words(int(row[at + 2 * CHANNELS])) if p.has_excess else 0)
        raw.append(before + head)
        before = CHANNELS * p.digits.channel_words
        at += head + p.weight_words + before
    return Stream((*raw, before + len(row) - at), (CHANNELS * p.taps,) * len(raw), SHIFTED)


def listed_words(counts: int) -> int:
    """Of both lists of excesses."""
    return ((counts & 0xFFFF) + (counts >> 16)) // 4


def block_words(rows: Array, bias: Array, p: HalvesParams) -> Array:
    """Initial sums, [bytes of excesses,] excesses and weights of two channels."""
    split = [split_excess(row, p.size) for row in rows]
    initial = [initial_sums(int(b), p.groups + len(e)) for b, (_, e) in zip(bias, split, strict=True)]
    (kept0, first), (kept1, second) = split
    listed = [excess_word(e, p.size) for e in (*first, *second)]
    counts = [4 * len(first) | 4 * len(second) << 16] if p.has_excess else []
    stored = (np.stack([kept0, kept1], axis=1) + WEIGHT_ZERO).astype(np.uint8).ravel()
    weights = np.pad(stored, (0, 4 * p.weight_words - stored.size)).view(np.int32)
    return np.concatenate([np.ravel(initial), counts, listed, weights]).astype(np.int64)


def excess_word(excess: Excess, size: int) -> int:
    """The byte offset of the tap's word among the packed ones, and above it the weight."""
    group, tap = divmod(excess.tap, size)
    return 4 * (group * (size + 1) + 1 + tap) + (excess.weight << 16)


def call_cycles(node: Node, size: int, fetch: int) -> float:
    """Of one call on a core whose taken branches cost `fetch` cycles more."""
    g, rows = half_geometry(node, size), group_rows(node, size)
    groups = rows.shape[1] // size
    unroll = unrolled(groups, size)
    loads = 1 + -(-size // LOADED)
    d = digits_of(node)
    assert d is not None
    group = size + 1 + loads + 4 * CHANNELS * size + 6 + ((4 + fetch) / unroll if unroll < groups else 0.3)
    scaled = 2 * (5 + 4 * d.count + (6 if d.gemmlowp else 2) + 5) + 4
    block = 26 + groups * group + CHANNELS * scaled + (5 if excess_count(rows, size) else 0)
    excess = excess_count(rows, size) / len(rows) * CHANNELS * (14 + fetch)
    blocks = g.groups * (g.filled_outputs(CHANNELS) // CHANNELS)
    per_pair = blocks * (block + excess) + g.groups * (90 + packing_cycles(g, size))
    return float(-(-g.pixels // PIXELS) * per_pair)


def packing_cycles(g: Geometry, size: int) -> float:
    """Of two windows."""
    gathered = {Gather.NEVER: 0.0, Gather.BORDER: 20.0, Gather.ALWAYS: 60 + 14.0 * g.patch}[g.gather]
    return 12 * g.patch + 12 * g.patch / size + 20 * g.rows + gathered
