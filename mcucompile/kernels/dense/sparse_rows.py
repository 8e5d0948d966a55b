"""Dense of one int8 row whose weights have zeros, which are skipped.

relative  a byte says how far it is to the next value, a byte is the weight
bitmap    words of 31 bits say which values have a weight
blocks    a byte says how many blocks of four values to skip
quads     the same for four outputs with common blocks; two outputs' weights share 16 bits (see conv2d/sparse_blocks.py)
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
from ..conv2d.packing import fits_int32, folded_bias
from ..conv2d.requantization import HighWord
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
from ..counted import Counted
from ..kernel import Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Trace
from .row import row_trace

MOST_SKIPPED = 254
STEP = 4  # values of a step of `relative` with dual multiplications
HEAD = 2  # words in front of an output's bias


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
        words = HEAD + self.bias_and_scale(node).shape[-1]
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
        """int32 [rows, words]: where the list begins, how many entries it has, biases and scales."""
        head = np.column_stack([starts, [len(p) for p in places]])
        return np.concatenate([head.astype(np.int32), self.bias_and_scale(node)], axis=1)

    def bias_and_scale(self, node: Node) -> Array:
        """int32 [rows, words]"""
        return channel_constants(node, folded_bias(node).values)

    def scratch_nbytes(self, node: Node) -> int:
        return 8 * -(-node.inputs[0].size // BLOCK) if self.expands else 0

    def trace(self, node: Node) -> Trace:
        return row_trace(node, self.expands)

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
