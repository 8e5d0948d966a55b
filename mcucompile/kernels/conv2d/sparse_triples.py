"""Convolution of int8 weights with zeros, with plain multiplications: six pixels by one channel, zeros are skipped.

Three values are packed in two words as in triples.py, six in four. So six products share what it costs to find the next
weight, and take four multiplications.

    relative  a byte says how many taps to skip, a byte is the weight
    bitmap    words of 31 bits say which taps have a weight
    blocks    a byte says how many blocks of four taps to skip, four bytes are the weights
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Isa
from ..counted import Counted
from ..digits import Digits, digit_words
from ..kernel import Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .halves import digits_of
from .packing import fits_int32, folded_bias
from .sparse_lists import BLOCK, MAP_BITS, bitmap, blocks_of, is_sparse, listed_places, skipped
from .triples import REACH, flat_rows, sum_bounds

PIXELS = 6
TAP_NBYTES = 16
MOST_PLACES = 1 << 14
MOST_SKIPPED = 255


@dataclass(frozen=True)
class SparseTriplesParams:
    """A window of `g.patch` values in `segments` of `steps` taps, so that sums have 21 bits."""

    g: Geometry
    kind: str
    segments: int
    steps: int
    map_words: int
    channel_words: int
    requant: Digits | Scaling

    @property
    def has_digits(self) -> bool:
        return isinstance(self.requant, Digits)

    @property
    def patch_offset(self) -> int:
        """Of windows that are copied, in scratch."""
        return TAP_NBYTES * self.segments * self.steps


class SparseTriples(Counted):
    """Base: a stream of bytes that has a list for every channel and segment."""

    op: ClassVar[type[Op]] = Conv2d
    kind: ClassVar[str]
    multiple: ClassVar[int] = 1  # of which segments are
    least_pixels: ClassVar[int] = 1

    @property
    def template(self) -> str:
        return f"kernels/conv2d/sparse_triples.{self.isa.name.lower()}.c.j2"

    def fits(self, node: Node) -> bool:
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.output)) or not is_sparse(node, self.encoding):
            return False
        g = geometry(node)
        small = g.groups == 1 and g.patch <= MOST_PLACES and g.pixels >= self.least_pixels
        return (
            small
            and fits_int32(folded_bias(node).values)
            and (self.isa is not Isa.SCALAR or digits_of(node) is not None)
        )

    def requant(self, node: Node) -> Digits | Scaling:
        digits = digits_of(node) if self.isa is Isa.SCALAR else None
        return digits or scaling(node)

    def params(self, node: Node) -> SparseTriplesParams:
        g = geometry(node)
        segments, steps = self.cut(node)
        words = self.channel(node).shape[1]
        return SparseTriplesParams(g, self.kind, segments, steps, -(-steps // MAP_BITS), words, self.requant(node))

    def cut(self, node: Node) -> tuple[int, int]:
        """(segments, taps of each): the fewest that no input makes exceed 21 bits."""
        rows = flat_rows(node, geometry(node)).astype(np.int64)
        taps = rows.shape[1]
        for count in range(1, taps + 1):
            steps = -(-taps // count // self.multiple) * self.multiple
            low, high = sum_bounds(rows, steps)
            if low.min() >= -REACH and high.max() < REACH:
                return -(-taps // steps), steps
        raise AssertionError(node.where)

    def segments(self, node: Node) -> Array:
        """[O, segments, taps]"""
        rows = flat_rows(node, geometry(node))
        count, steps = self.cut(node)
        return np.pad(rows, ((0, 0), (0, count * steps - rows.shape[1]))).reshape(len(rows), count, steps)

    @abstractmethod
    def entries(self, taps: Array) -> bytes:
        """The list of one channel and segment."""

    @abstractmethod
    def listed(self, taps: Array) -> int:
        """How many entries it has."""

    def constants(self, node: Node) -> tuple[Packed, ...]:
        segments = self.segments(node)
        stream = b"".join(self.entries(taps) for taps in segments.reshape(-1, segments.shape[2]))
        return Packed("weight", np.frombuffer(stream, np.uint8)), Packed("channel", self.channel(node))

    def channel(self, node: Node) -> Array:
        """int32 [O, words]: bias, and digits or multiplier and shift."""
        requant, bias = self.requant(node), folded_bias(node).values
        if isinstance(requant, Digits):
            return np.concatenate([bias[:, None], digit_words(node, requant, len(bias))], axis=1).astype(np.int32)
        return channel_constants(node, bias)

    def scratch_nbytes(self, node: Node) -> int:
        g, (segments, steps) = geometry(node), self.cut(node)
        return TAP_NBYTES * segments * steps + (0 if g.gather is Gather.NEVER else PIXELS * g.patch)

    def trace(self, node: Node) -> Trace:
        return pixel_trace(geometry(node), 1, PIXELS, reads_first=True)

    def code_nbytes(self, node: Node) -> int:
        return (1000 if self.isa is Isa.SCALAR else 750) + (0 if geometry(node).gather is Gather.NEVER else 350)

    def counts(self, node: Node) -> tuple[float, ...]:
        """Entries, lists, outputs, values packed: each for all tiles."""
        segments = self.segments(node)
        g, lists = geometry(node), segments.reshape(-1, segments.shape[2])
        tiles = -(-g.pixels // PIXELS)
        entries = sum(self.listed(taps) for taps in lists)
        return tiles * entries, tiles * len(lists), tiles * len(segments) * PIXELS, tiles * PIXELS * g.patch


class SparseRelative(SparseTriples):
    variant = "sparse_relative"
    encoding = "relative"
    isa = Isa.SCALAR
    kind = "relative"
    costs = {"cortex-m0": (22.9, 328.0, 0.0, 10.2)}

    def entries(self, taps: Array) -> bytes:
        places = listed_places(taps != 0, MOST_SKIPPED)
        both = np.stack([skipped(places).astype(np.uint8), taps[places].astype(np.uint8)], axis=1)
        return len(places).to_bytes(2, "little") + both.tobytes()

    def listed(self, taps: Array) -> int:
        return len(listed_places(taps != 0, MOST_SKIPPED))


class SparseBitmap(SparseTriples):
    variant = "sparse_bitmap"
    encoding = "bitmap"
    isa = Isa.SCALAR
    kind = "bitmap"
    costs = {"cortex-m0": (18.5, 236.0, 28.8, 8.2, 5.5)}

    def entries(self, taps: Array) -> bytes:
        weights: bytes = taps[taps != 0].tobytes()
        return bitmap(taps != 0).tobytes() + weights + bytes(-len(weights) % 4)

    def listed(self, taps: Array) -> int:
        return int(np.count_nonzero(taps))

    def counts(self, node: Node) -> tuple[float, ...]:
        g = geometry(node)
        return *super().counts(node), -(-g.pixels // PIXELS) * g.out_channels * g.patch


class SparseBlocks(SparseTriples):
    variant = "sparse_blocks"
    encoding = "blocks4"
    isa = Isa.SCALAR
    kind = "blocks"
    multiple = BLOCK
    costs = {"cortex-m0": (72.2, 289.0, 4.0, 9.1)}

    def entries(self, taps: Array) -> bytes:
        (blocks,) = blocks_of(taps[None])
        places = listed_places(blocks.any(axis=1), MOST_SKIPPED)
        both = np.concatenate([skipped(places).astype(np.uint8)[:, None], blocks[places].astype(np.uint8)], axis=1)
        return len(places).to_bytes(2, "little") + both.tobytes() + bytes(len(places) % 2)

    def listed(self, taps: Array) -> int:
        (blocks,) = blocks_of(taps[None])
        return len(listed_places(blocks.any(axis=1), MOST_SKIPPED))


class MainlineRelative(SparseRelative):
    isa = Isa.MAINLINE
    costs = {"cortex-m3": (22.3, 147.0, 0.0, 5.6)}


class MainlineBitmap(SparseBitmap):
    isa = Isa.MAINLINE
    costs = {"cortex-m3": (22.7, 150.0, 2.1, 7.9, 0.0)}


class MainlineBlocks(SparseBlocks):
    isa = Isa.MAINLINE
    costs = {"cortex-m3": (65.8, 140.0, 0.0, 4.5)}
