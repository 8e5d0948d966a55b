"""Dense of one int8 row whose weights have zeros, which are skipped.

relative  a byte says how far it is to the next value, a byte is the weight
bitmap    words of 31 bits say which values have a weight
blocks    a byte says how many blocks of four values to skip
quads     the same for four outputs with common blocks; two outputs' weights share 16 bits (see conv2d/sparse_tiles.py)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.dense import Dense
from ...target.cores import Isa
from ..conv2d.blocked import modulo_word
from ..conv2d.packing import fill_groups, fits_int32, folded_bias
from ..conv2d.requantization import HighWord, bounds_of, fits_high_word, high_word, high_word_constants
from ..conv2d.sparse_lists import (
    BLOCK,
    MAP_BITS,
    bitmap,
    blocks_of,
    is_sparse,
    listed_places,
    skipped,
    stored_once,
    used,
)
from ..conv2d.sparse_tiles import SECOND_SHIFT, fits_halves, halves_of
from ..counted import Counted
from ..kernel import Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Range, Sweep, Trace

MOST_SKIPPED = 254
STEP = 4  # values of a step of `relative` with dual multiplications
OUTPUTS = 4


@dataclass(frozen=True)
class RowsParams:
    """`blocks`: how many the expanded row has, 0 where it is not expanded; `channel_words`: constants of an output."""

    kind: str
    size: int
    outputs: int
    blocks: int
    map_words: int
    channel_words: int
    requant: HighWord | Scaling

    @property
    def count_type(self) -> str:
        """Of a list's entries, so that whatever flash holds, lists end."""
        return "uint16_t" if self.size < (1 << 16) - STEP else "int32_t"

    @property
    def tail(self) -> int:
        """Values in the last block, if it is not full."""
        return self.size % BLOCK


class Rows(Counted):
    """Base: an index of lists that outputs may share, the weights, and constants of each output."""

    op: ClassVar[type[Op]] = Dense
    kind: ClassVar[str]
    outputs: ClassVar[int] = 1
    expands: ClassVar[bool] = False

    @property
    def template(self) -> str:
        return f"kernels/dense/sparse_rows.{self.isa.name.lower()}.c.j2"

    def fits(self, node: Node) -> bool:
        x, y = node.inputs[0], node.output
        int8 = x.dtype is DType.I8 and y.dtype is DType.I8
        return int8 and x.size == x.shape[-1] and is_sparse(node, self.encoding) and self.fits_sums(node)

    def fits_sums(self, node: Node) -> bool:
        return fits_int32(folded_bias(node).values)

    def requant(self, node: Node) -> HighWord | Scaling:
        return scaling(node)

    def params(self, node: Node) -> RowsParams:
        size, blocks = node.inputs[0].size, -(-node.inputs[0].size // BLOCK) if self.expands else 0
        words = self.channel_constants(node, [0] * len(self.rows(node)), self.places(node)).shape[-1]
        return RowsParams(self.kind, size, node.output.size, blocks, -(-size // MAP_BITS), words, self.requant(node))

    @abstractmethod
    def rows(self, node: Node) -> Array:
        """What is listed: [rows, places] or [rows, places, weights]."""

    def places(self, node: Node) -> list[Array]:
        return [listed_places(row, MOST_SKIPPED) for row in used(self.rows(node))]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        return [skipped(p).astype(np.uint8).tobytes() for p in places]

    def words(self, row: Array, places: Array) -> bytes:
        return np.ascontiguousarray(row[places]).tobytes()

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rows, places = self.rows(node), self.places(node)
        index, starts = stored_once(self.lists(node, places))
        weights = b"".join(self.words(row, listed) for row, listed in zip(rows, places, strict=True))
        return (
            Packed("weight", np.frombuffer(weights, np.int8)),
            Packed("index", np.frombuffer(index, np.uint8)),
            Packed("channel", self.channel_constants(node, starts, places)),
        )

    def channel_constants(self, node: Node, starts: Sequence[int], places: Sequence[Array]) -> Array:
        """int32 [rows, words]: where the list begins, how many entries it has, the bias, the scale."""
        scales = self.bias_and_scale(node)
        head = np.stack([np.asarray(starts), np.asarray([len(p) for p in places])], axis=1)
        return np.concatenate([head.astype(np.int32), scales], axis=1)

    def bias_and_scale(self, node: Node) -> Array:
        return channel_constants(node, folded_bias(node).values)

    def scratch_nbytes(self, node: Node) -> int:
        return 8 * -(-node.inputs[0].size // BLOCK) if self.expands else 0

    def trace(self, node: Node) -> Trace:
        k, outputs = node.inputs[0].size, node.output.size
        row = Range(0, 0, 0, k)
        if self.expands:
            return (Sweep(1, (row,), (Range(1, 0, 0, outputs),)),)
        return (Sweep(outputs, (row,), (Range(1, 0, 1, 1),)),)

    def code_nbytes(self, node: Node) -> int:
        return {"relative": 270, "bitmap": 290, "blocks": 340, "quads": 420}[self.kind]

    def counts(self, node: Node) -> tuple[float, ...]:
        """Entries of lists, rows, values expanded."""
        places = self.places(node)
        return sum(map(len, places)), len(places), node.inputs[0].size if self.expands else 0


def weight_of(node: Node) -> Array:
    weight = node.inputs[1].const
    assert weight is not None
    return weight


class ScalarRelative(Rows):
    variant = "sparse_relative"
    encoding = "relative"
    isa = Isa.SCALAR
    kind = "relative"
    costs = {"cortex-m0": (15.0, 72.0, 0.0), "cortex-m3": (13.7, 14.5, 0.0)}

    def rows(self, node: Node) -> Array:
        return weight_of(node)

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        """How far each value is from the one before it."""
        return [np.diff(p, prepend=0).astype(np.uint8).tobytes() for p in places]


class ScalarBitmap(ScalarRelative):
    variant = "sparse_bitmap"
    encoding = "bitmap"
    kind = "bitmap"
    costs = {"cortex-m0": (24.6, 280.0, 1.7), "cortex-m3": (12.7, 104.0, 2.0)}

    def places(self, node: Node) -> list[Array]:
        return [np.flatnonzero(row) for row in self.rows(node)]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        return [bitmap(row != 0).tobytes() for row in self.rows(node)]

    def counts(self, node: Node) -> tuple[float, ...]:
        entries, rows, _ = super().counts(node)
        return entries, rows, rows * node.inputs[0].size


class ScalarBlocks(Rows):
    variant = "sparse_blocks"
    encoding = "blocks4"
    isa = Isa.SCALAR
    kind = "blocks"
    costs = {"cortex-m0": (42.0, 73.0, 0.0), "cortex-m3": (28.7, 25.2, 0.0)}

    def fits(self, node: Node) -> bool:
        return node.inputs[0].size >= BLOCK and super().fits(node)

    def rows(self, node: Node) -> Array:
        """The last block ends with the row, wherever it begins."""
        weight = weight_of(node)
        whole = weight.shape[1] - weight.shape[1] % BLOCK
        missing = np.zeros((len(weight), -weight.shape[1] % BLOCK), np.int8)
        return blocks_of(np.concatenate([weight[:, :whole], missing, weight[:, whole:]], axis=1))


class DspRows(Rows):
    """Base: requantization on high words."""

    isa = Isa.DSP

    def fits_sums(self, node: Node) -> bool:
        return fits_high_word(node)

    def requant(self, node: Node) -> HighWord:
        return high_word(node)

    def bias_and_scale(self, node: Node) -> Array:
        bias = modulo_word(folded_bias(node).values.astype(np.int64))
        return np.concatenate([bias[:, None], high_word_constants(node)], axis=1)


class Relative(DspRows):
    """Four values a step; their distances and weights lie behind one another, without an index."""

    variant = "sparse_relative"
    encoding = "relative"
    kind = "relative"
    costs = {
        "cortex-m4": (23.3, 23.2, 0.0), "cortex-m7": (13.2, 22.7, 0.0),
        "cortex-m33": (23.2, 20.6, 0.0), "cortex-m55": (22.2, 20.6, 0.0),
    }  # fmt: skip

    def rows(self, node: Node) -> Array:
        return weight_of(node)

    def places(self, node: Node) -> list[Array]:
        """In whole steps; what is repeated has no weight."""
        lists = [listed_places(row, MOST_SKIPPED) for row in self.rows(node) != 0]
        return [np.pad(p, (0, -len(p) % STEP), mode="edge") for p in lists]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        return [b""] * len(places)

    def words(self, row: Array, places: Array) -> bytes:
        distances = np.diff(places, prepend=0)
        weights = np.where(np.diff(places, prepend=-1) == 0, 0, row[places])
        both = np.stack([distances.reshape(-1, STEP), weights.reshape(-1, STEP)], axis=1)
        return both.astype(np.uint8).tobytes()

    def constants(self, node: Node) -> tuple[Packed, ...]:
        weight, _, channel = super().constants(node)
        return weight, channel

    def counts(self, node: Node) -> tuple[float, ...]:
        entries, *others = super().counts(node)
        return entries / STEP, *others


class Bitmap(DspRows, ScalarBitmap):
    isa = Isa.DSP
    costs = {
        "cortex-m4": (11.0, 27.6, 0.3), "cortex-m7": (7.0, 32.1, 0.4),
        "cortex-m33": (10.0, 23.4, 0.2), "cortex-m55": (10.0, 23.1, 0.2),
    }  # fmt: skip


class Blocks(DspRows):
    variant = "sparse_blocks"
    encoding = "blocks4"
    kind = "blocks"
    expands = True
    costs = {
        "cortex-m4": (16.5, 25.1, 3.8), "cortex-m7": (9.0, 24.2, 1.3),
        "cortex-m33": (15.0, 25.2, 2.3), "cortex-m55": (12.0, 29.2, 2.1),
    }  # fmt: skip

    def rows(self, node: Node) -> Array:
        return blocks_of(weight_of(node))


class Quads(Blocks):
    variant = "sparse_quads"
    kind = "quads"
    outputs = OUTPUTS
    costs = {
        "cortex-m4": (27.5, 50.6, 3.4), "cortex-m7": (17.0, 45.7, 1.3),
        "cortex-m33": (26.0, 47.7, 2.3), "cortex-m55": (22.0, 46.6, 2.0),
    }  # fmt: skip

    def fits_sums(self, node: Node) -> bool:
        fits = super().fits_sums(node) and bounds_of(node).max() < 1 << (31 - SECOND_SHIFT)
        return fits and fits_halves(self.rows(node).reshape(-1, 2, BLOCK))

    def rows(self, node: Node) -> Array:
        """[quads, blocks, two, two channels, 4]"""
        rows = fill_groups(super().rows(node), 1, self.outputs)
        return rows.reshape(-1, 2, 2, *rows.shape[1:]).transpose(0, 3, 1, 2, 4)

    def words(self, row: Array, places: Array) -> bytes:
        both = halves_of(row[places]).astype(np.int16)  # [blocks, two, 4]
        return np.stack([both[..., 0::2], both[..., 1::2]], axis=2).tobytes()

    def channel_constants(self, node: Node, starts: Sequence[int], places: Sequence[Array]) -> Array:
        """Of four outputs: where the list begins, how many entries it has, four biases, four scales."""
        bias = fill_groups(folded_bias(node).values.astype(np.int64), 1, self.outputs).reshape(-1, 2, 2)
        both = np.stack([bias[..., 0] + (bias[..., 1] << SECOND_SHIFT), bias[..., 0]], axis=2)
        scales = fill_groups(high_word_constants(node), 1, self.outputs).reshape(len(bias), -1)
        head = np.stack([np.asarray(starts), np.asarray([len(p) for p in places])], axis=1)
        return np.concatenate([head.astype(np.int32), modulo_word(both).reshape(len(bias), -1), scales], axis=1)
