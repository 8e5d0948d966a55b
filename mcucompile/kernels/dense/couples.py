"""Dense of int8 rows on Armv6-M: two outputs in the halves of a word.

A word of weights has two of each output, with bytes p0, p1, q0, q1; as halves it is (p0 + 256*p1, q0 + 256*q1), and
shifted by 8 and masked (p1, q1). So for the values a0, a1 of the row

    word * a0 + odd * (a1 - 256*a0) = (p0*a0 + p1*a1, q0*a0 + q1*a1)    modulo 2**32, by halves,

which are four products in two multiplications. Sums are split behind each group as conv2d/half_groups.py has it, with
outputs in the place of windows. What a group's weights have too much is added to the output's own sum in 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...encodings import SHIFTED
from ...ir import Array, DType, Node
from ...ops.dense import Dense
from ...target.cores import Core, Isa
from ..conv2d.half_groups import WEIGHT_ZERO, Excess, excess_count, initial_sums, split_excess
from ..conv2d.halves import digits_of, listed_words
from ..conv2d.packing import fill_groups, fits_int32, folded_bias
from ..digits import Digits, digit_words
from ..kernel import Kernel, Packed
from ..stream import Stream
from ..trace import Range, Sweep, Trace

OUTPUTS = 2
GROUP_SIZES = (4, 8, 12, 16, 24, 32)
MAX_UNROLL = 6
WRITTEN_OUT = 32  # values
CHUNK = 128  # values in each of several chunks, about
MAX_SIZE = 1 << 13  # excesses name a value by 16 bits of byte offset


@dataclass(frozen=True)
class CouplesParams:
    """`rows` rows of `inputs` values, in `chunks` chunks of `groups` groups of `size`; `unroll` groups are written out.
    With several chunks the sums of all outputs are kept in between.
    """

    rows: int
    inputs: int
    outputs: int
    size: int
    chunks: int
    groups: int
    unroll: int
    has_excess: bool
    digits: Digits

    @property
    def chunk_size(self) -> int:
        """Values, of which the last chunk may have less."""
        return self.size * self.groups

    @property
    def couples(self) -> int:
        return -(-self.outputs // OUTPUTS)

    @property
    def expanded_words(self) -> int:
        """A chunk: in front of each group's values the word that it starts from."""
        return (self.size + 1) * self.groups

    @property
    def sum_words(self) -> int:
        """Sums that are kept between chunks."""
        return OUTPUTS * self.couples if self.chunks > 1 else 0


class Couples(Kernel):
    op = Dense
    variant = "couples"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)) or x.shape[-1] > MAX_SIZE:
            return False
        return fits_int32(folded_bias(node).values) and digits_of(node) is not None

    def params(self, node: Node) -> CouplesParams:
        x, d, size = node.inputs[0], digits_of(node), group_size(node)
        assert d is not None
        rows = filled_rows(node, size)
        chunks, groups = chunked(rows.shape[1] // size, size, len(rows))
        inputs, has_excess = x.shape[-1], excess_count(rows, size) > 0
        unroll = unrolled(groups, size)
        return CouplesParams(x.size // inputs, inputs, len(rows), size, chunks, groups, unroll, has_excess, d)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return (Packed("weight", stream(node, self.params(node))),)

    def weight_stream(self, node: Node) -> Stream:
        p = self.params(node)
        return stream_form(stream(node, p), p)

    def scratch_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 4 * (p.expanded_words + p.sum_words)

    def trace(self, node: Node) -> Trace:
        x, y = node.inputs[0], node.output
        inputs, outputs = x.shape[-1], y.shape[-1]
        return (Sweep(x.size // inputs, (Range(0, 0, inputs, inputs),), (Range(1, 0, outputs, outputs),)),)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 250 + (15 * p.size // 4 + 4) * 2 * p.unroll + 24 * p.digits.count + (90 if p.has_excess else 0)

    def cycles(self, node: Node, core: Core) -> float:
        if not core.cpu.startswith("cortex-m0"):
            return 9.0 * node.op.macs(node) + 40 * node.output.size
        return call_cycles(node, group_size(node), 1 if core.cpu == "cortex-m0plus" else 2)


def group_size(node: Node) -> int:
    """Values per group: large ones split their sums seldom, small ones have little excess."""
    return min(GROUP_SIZES, key=lambda size: call_cycles(node, size, 2))


def unrolled(groups: int, size: int) -> int:
    """Groups that are written out, up to 32 values."""
    return next(u for u in range(max(1, min(MAX_UNROLL, WRITTEN_OUT // size)), 0, -1) if groups % u == 0)


def chunked(groups: int, size: int, outputs: int) -> tuple[int, int]:
    """(chunks, groups in each) that take the least scratch."""
    several = -(-groups * size // CHUNK)
    kept = outputs + 1 if several > 1 else 0
    per_chunk = -(-groups // several)
    return (several, per_chunk) if (size + 1) * per_chunk + kept < (size + 1) * groups else (1, groups)


def filled_rows(node: Node, size: int) -> Array:
    """The weights [O, K], K filled up to whole groups."""
    weight = node.inputs[1].const
    assert weight is not None
    return np.pad(weight, ((0, 0), (0, -weight.shape[1] % size)))


def stream(node: Node, p: CouplesParams) -> Array:
    """int32 words in the order of reading. One chunk: the offset of the requantization, then per couple of outputs
    total and high, [bytes of two lists of excesses, the lists,] weights, and the digits of each. Several: total and
    high of all couples, the excesses and weights of each couple for each chunk, and the digits of all.
    """
    rows = fill_groups(filled_rows(node, p.size), 1, OUTPUTS)
    rows = np.pad(rows, ((0, 0), (0, p.chunks * p.chunk_size - rows.shape[1])))
    bias = fill_groups(folded_bias(node).values.astype(np.int64), 1, OUTPUTS)
    words = fill_groups(digit_words(node, p.digits, p.outputs), 1, OUTPUTS).reshape(p.couples, -1)
    sums = [first_sums(bias[OUTPUTS * k : OUTPUTS * (k + 1)], p.chunks * p.groups) for k in range(p.couples)]
    chunks = [
        [couple_words(c, p) for c in chunk.reshape(p.couples, OUTPUTS, -1)]
        for chunk in np.split(rows, p.chunks, axis=1)
    ]
    if p.chunks > 1:
        return np.concatenate([*sums, *(c for chunk in chunks for c in chunk), words.ravel()]).astype(np.int32)
    couples = zip(sums, chunks[0], words, strict=True)
    return np.concatenate([[p.digits.offset], *(part for couple in couples for part in couple)]).astype(np.int32)


def stream_form(values: Array, p: CouplesParams) -> Stream:
    """Where the weights are in the words of `stream`."""
    several = p.chunks > 1
    before = at = OUTPUTS * p.couples if several else 1
    sums, scales = (0, 0) if several else (OUTPUTS, OUTPUTS * p.digits.channel_words)
    raw, size = [], OUTPUTS * p.chunk_size
    for _ in range(p.chunks * p.couples):
        head = sums + (1 + listed_words(int(values[at + sums])) if p.has_excess else 0)
        raw.append(before + head)
        before = scales
        at += head + size // 4 + before
    return Stream((*raw, before + len(values) - at), (size,) * len(raw), SHIFTED)


def first_sums(bias: Array, groups: int) -> Array:
    """Total and high of a couple before anything is added."""
    total, _ = initial_sums(0, groups)
    word = np.asarray([(total + int(bias[0]) + (int(bias[1]) << 16)) & 0xFFFFFFFF], np.uint32).view(np.int32)
    return np.concatenate([word, bias[1:]])


def couple_words(rows: Array, p: CouplesParams) -> Array:
    """[Bytes of two lists of excesses, the lists,] and weights of two outputs."""
    (kept_p, first), (kept_q, second) = (split_excess(row, p.size) for row in rows)
    lists = [[word for e in excesses for word in excess_words(e, p.size)] for excesses in (first, second)]
    counts = [4 * len(lists[0]) | 4 * len(lists[1]) << 16] if p.has_excess else []
    stored = (np.stack([kept_p.reshape(-1, 2), kept_q.reshape(-1, 2)], axis=1) + WEIGHT_ZERO).astype(np.uint8)
    return np.concatenate([counts, *lists, stored.ravel().view(np.int32)]).astype(np.int64)


def excess_words(excess: Excess, size: int) -> list[int]:
    """Products of words of the expanded row that make up the excess: a byte offset each, and above it the factor.

    A value at an odd place is there as a1 - 256*a0.
    """
    group, place = divmod(excess.tap, size)
    at = 4 * (group * (size + 1) + 1 + place)
    even = [] if place % 2 == 0 else [at - 4 + (256 * excess.weight << 16)]
    return [at + (excess.weight << 16), *even]


def call_cycles(node: Node, size: int, fetch: int) -> float:
    """Of one call on a core whose taken branches cost `fetch` cycles more."""
    rows, d = filled_rows(node, size), digits_of(node)
    assert d is not None
    chunks, groups = chunked(rows.shape[1] // size, size, len(rows))
    group = size * 5.25 + 1 + 3 + (4 + fetch) / unrolled(groups, size)
    scaled = 4 + 5 * d.count + (6 if d.gemmlowp else 2) + (30 if chunks > 1 else 9)
    excess = excess_count(rows, size)
    couple = chunks * (18 + groups * group + (8 if excess else 0)) + OUTPUTS * scaled
    expanded = chunks * groups * (9 * size + 8)
    count = node.inputs[0].size // node.inputs[0].shape[-1]
    return float(count * (60 + expanded + -(-len(rows) // OUTPUTS) * couple + 1.5 * (12 + fetch) * excess))
