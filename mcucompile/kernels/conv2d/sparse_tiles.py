"""Convolution of int8 weights with zeros, with dual multiplications: six sums at a time, zeros are skipped.

Windows of several pixels lie side by side in scratch, so they share what it costs to find the next weight:

    relative  six pixels, one channel: a byte says how many taps to skip, a byte is the weight
    bitmap    the same; words of 31 bits say which taps have a weight
    blocks    six pixels, one channel: a byte says how many blocks of four taps to skip, a word has four weights
    pairs     three pixels, two channels with common blocks

In a word of `pairs` the bytes c0, c1 of two channels make 16 bits, 256*c1 + c0, twice; SXTB16 makes (c0, c0') of it.
One sum is that of channel 0, another has 256 times that of channel 1 besides; half of the words need no unpacking.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Isa
from ..counted import Counted
from ..kernel import Packed
from ..trace import Range, Sweep, Trace
from .blocked import REACH, modulo_word
from .geometry import Gather, Geometry, geometry, window_span
from .lanes import Lanes, block_geometry, lane_weights, lanes_of
from .packing import fill_groups, folded_bias, weight_rows
from .requantization import HighWord, bounds_of, fits_high_word, high_word, high_word_constants
from .sparse_lists import BLOCK, MAP_BITS, bitmap, blocks_of, is_sparse, listed_places, skipped, stored_once, used

SUMS = 6
MOST_PLACES = 1 << 15
UNROLLS = {8: 32, 4: 8, 2: 4}  # steps that are written out, by how many a list has at least
WRITTEN_OUT = 16  # words of a window whose expansion is
SECOND_SHIFT = 8  # of the second channel's weights in 16 bits


@dataclass(frozen=True)
class TileParams:
    """A tile is `pixels` windows by `channels`; `unroll` steps, of `step_nbytes` of code, are written out.

    `map_words`: of a channel's bitmap. `lanes`: how blocks are made of a window; None for single taps.
    """

    g: Geometry
    kind: str
    pixels: int
    channels: int
    unroll: int
    map_words: int
    lanes: Lanes | None
    requant: HighWord
    step_nbytes: int
    mirrored: bool = False

    @property
    def side(self) -> int:
        return self.pixels

    @property
    def row_stride(self) -> int | None:
        """From one run of a window to the next, unless windows differ in that."""
        return None if self.g.gather is Gather.BORDER else self.g.row_stride

    @property
    def is_partial(self) -> bool:
        """Whether there are less pixels than in a tile."""
        return self.g.pixels < self.pixels

    @property
    def at_once(self) -> bool:
        """Whether a tile's windows are expanded together: three runs of whole words."""
        return self.kind == "pairs" and bool(self.lanes) and self.g.run % BLOCK == 0

    @property
    def goes_back(self) -> int:
        """By how many pixels the last tile overlaps the one before it."""
        return 0 if self.is_partial else -self.g.pixels % self.pixels

    @property
    def last_tile(self) -> tuple[int, int, int]:
        """Where its first window begins, (y, x), and how many images that is before the last one."""
        g = self.g
        first, size = g.pixels - self.pixels, g.out_height * g.out_width
        (sh, sw), (top, left, *_) = g.window.strides, g.window.pads
        oy, ox = divmod(first % size, g.out_width)
        return oy * sh - top, ox * sw - left, (first + self.goes_back) // size - first // size


class Tiles(Counted):
    """Base: an index of lists that channels may share, and per channel or two a stream of words."""

    op: ClassVar[type[Op]] = Conv2d
    isa = Isa.DSP
    kind: ClassVar[str]
    pixels: ClassVar[int] = SUMS
    channels: ClassVar[int] = 1
    least_pixels: ClassVar[int] = 1
    step_nbytes: ClassVar[int]  # of code

    @property
    def template(self) -> str:
        return "kernels/conv2d/sparse_tiles.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.output)) or not is_sparse(node, self.encoding):
            return False
        g = geometry(node)
        in_reach = self.pixels * node.output.shape[-1] < REACH and g.patch <= MOST_PLACES
        return in_reach and g.groups == 1 and g.pixels >= self.least_pixels and fits_high_word(node)

    def params(self, node: Node) -> TileParams:
        g = self.walk(node)
        return TileParams(
            g, self.kind, self.pixels, self.channels, self.unrolled(node), 0, self.lanes(g), high_word(node),
            self.step_nbytes,
        )  # fmt: skip

    def walk(self, node: Node) -> Geometry:
        return geometry(node)

    def lanes(self, g: Geometry) -> Lanes | None:
        return None

    @abstractmethod
    def rows(self, node: Node) -> Array:
        """What is listed of each channel or two: [rows, places] or [rows, places, weights]."""

    @abstractmethod
    def words(self, row: Array, places: Array) -> Array:
        """The weights at these places, in bytes."""

    def places(self, node: Node) -> list[Array]:
        return [listed_places(row) for row in used(self.rows(node))]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        """What the index has of each row."""
        return [(3 * skipped(p)).astype(np.uint8).tobytes() for p in places]

    def unrolled(self, node: Node) -> int:
        """Steps that are written out: lists of few entries are gone through faster without."""
        mean = np.mean([len(p) for p in self.places(node)])
        return next((unroll for unroll, least in UNROLLS.items() if mean >= least), 1)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        places = self.places(node)
        index, starts = stored_once(self.lists(node, places))
        streams = self.streams(node, places, starts)
        return Packed("weight", np.concatenate(streams)), Packed("index", np.frombuffer(index, np.uint8))

    def streams(self, node: Node, places: Sequence[Array], starts: Sequence[int]) -> list[Array]:
        """int32: where the index begins, how many steps, the biases, the weights, the scales."""
        rows = self.rows(node)
        biases, scales = self.biases(node), self.scales(node)
        found = []
        for k, (start, listed) in enumerate(zip(starts, places, strict=True)):
            weights = self.words(rows[k], listed).tobytes()
            words = np.frombuffer(weights + bytes(-len(weights) % 4), np.int32)
            head = [start, *self.steps(listed, self.unrolled(node))]
            found.append(np.concatenate([modulo_word(np.asarray(head, np.int64)), biases[k], words, scales[k]]))
        return found

    def steps(self, places: Array, unroll: int) -> list[int]:
        """How many of the unrolled steps to skip at first, and above it the number of steps."""
        count = len(places)
        return [-count % unroll | count << 16]

    def biases(self, node: Node) -> Array:
        bias = fill_groups(folded_bias(node).values.astype(np.int64), 1, self.channels)
        return modulo_word(bias).reshape(-1, self.channels)

    def scales(self, node: Node) -> Array:
        scales = fill_groups(high_word_constants(node), 1, self.channels)
        return scales.reshape(len(scales) // self.channels, -1)

    def scratch_nbytes(self, node: Node) -> int:
        g = self.walk(node)
        count = self.pixels if self.params(node).at_once else 2 if self.lanes(g) is None else 1
        return self.window_nbytes(node) + (0 if g.gather is Gather.NEVER else count * g.patch)

    def window_nbytes(self, node: Node) -> int:
        """Of a tile's windows: two bytes per value."""
        g = self.walk(node)
        lanes = self.lanes(g)
        return 2 * self.pixels * (g.patch if lanes is None else BLOCK * lanes.steps)

    def trace(self, node: Node) -> Trace:
        return tile_trace(self.walk(node), self.pixels)

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        per_output = 4 * (p.requant.extra_per_output(True) + 3)
        gathers = 0 if p.g.gather is Gather.NEVER else 340
        expands = 14 * p.lanes.steps if p.lanes and p.lanes.steps <= WRITTEN_OUT else 0
        return 450 + p.unroll * self.step_nbytes + SUMS * per_output + gathers + expands

    def counts(self, node: Node) -> tuple[float, ...]:
        """Steps, tiles by streams, values of windows, windows."""
        g, places = self.walk(node), self.places(node)
        tiles = -(-g.pixels // self.pixels)
        steps = sum(map(len, places))
        extra = 1 + high_word(node).extra_per_output(True) / 8
        return tiles * steps, tiles * len(places) * extra, tiles * self.pixels * g.patch, tiles * self.pixels


def tile_trace(g: Geometry, pixels: int) -> Trace:
    """Windows are copied before outputs are written; the last tile ends with the last pixel, wherever it begins."""
    sweeps = []
    for start in range(0, g.pixels, pixels):
        first = max(min(start, g.pixels - pixels), 0)
        tile = range(first, min(first + pixels, g.pixels))
        spans = [span for span in (window_span(g, p) for p in tile) if span[1] > span[0]]
        low, high = min((s for s, _ in spans), default=0), max((e for _, e in spans), default=0)
        reads = (Range(0, low, 0, high - low),) if spans else ()
        sweeps.append(Sweep(1, reads, (Range(1, first * g.out_channels, 0, len(tile) * g.out_channels),)))
    return tuple(sweeps)


class Relative(Tiles):
    variant = "sparse_relative"
    encoding = "relative"
    kind = "relative"
    step_nbytes = 40
    costs = {
        "cortex-m4": (15.7, 18.8, 4.0, 223.0), "cortex-m7": (13.6, 21.1, 2.1, 210.0),
        "cortex-m33": (15.1, 35.6, 3.6, 187.0), "cortex-m55": (12.6, 16.9, 2.5, 195.0),
    }  # fmt: skip

    def rows(self, node: Node) -> Array:
        g = self.walk(node)
        return weight_rows(node, g).reshape(g.out_channels, g.patch)

    def words(self, row: Array, places: Array) -> Array:
        return np.asarray(row[places])


class Bitmap(Relative):
    variant = "sparse_bitmap"
    encoding = "bitmap"
    kind = "bitmap"
    step_nbytes = 64
    costs = {
        "cortex-m4": (21.0, 0.0, 3.7, 247.0, 16.8), "cortex-m7": (13.0, 0.0, 1.1, 244.0, 20.5),
        "cortex-m33": (18.9, 0.0, 2.0, 281.0, 23.3), "cortex-m55": (17.0, 0.0, 2.2, 217.0, 15.2),
    }  # fmt: skip

    def params(self, node: Node) -> TileParams:
        g = self.walk(node)
        return TileParams(g, self.kind, self.pixels, 1, 1, self.map_words(node), None, high_word(node), 0)

    def map_words(self, node: Node) -> int:
        return -(-self.walk(node).patch // MAP_BITS)

    def places(self, node: Node) -> list[Array]:
        return [np.flatnonzero(row) for row in self.rows(node)]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        return [bitmap(row != 0).tobytes() for row in self.rows(node)]

    def steps(self, places: Array, unroll: int) -> list[int]:
        return []

    def unrolled(self, node: Node) -> int:
        return 1

    def counts(self, node: Node) -> tuple[float, ...]:
        counts = super().counts(node)
        return *counts, -(-self.walk(node).pixels // self.pixels) * len(self.rows(node)) * self.map_words(node)


class Blocks(Tiles):
    variant = "sparse_blocks"
    encoding = "blocks4"
    kind = "blocks"
    step_nbytes = 84
    costs = {
        "cortex-m4": (35.9, 33.7, 3.3, 79.7), "cortex-m7": (30.0, 44.6, 1.7, 22.3),
        "cortex-m33": (35.5, 49.3, 2.9, 54.9), "cortex-m55": (27.9, 36.6, 2.5, 35.5),
    }  # fmt: skip

    def walk(self, node: Node) -> Geometry:
        return block_geometry(node)

    def lanes(self, g: Geometry) -> Lanes:
        return lanes_of(g)

    def rows(self, node: Node) -> Array:
        g = self.walk(node)
        return blocks_of(lane_weights(node, g, lanes_of(g)))

    def words(self, row: Array, places: Array) -> Array:
        return np.asarray(row[places])


class Pairs(Blocks):
    variant = "sparse_pairs"
    kind = "pairs"
    pixels = SUMS // 2
    channels = 2
    step_nbytes = 76
    costs = {
        "cortex-m4": (29.8, 46.9, 3.0, 76.4), "cortex-m7": (24.9, 28.0, 1.6, 90.0),
        "cortex-m33": (30.3, 40.0, 2.6, 80.0), "cortex-m55": (24.8, 45.2, 2.0, 33.8),
    }  # fmt: skip

    def fits(self, node: Node) -> bool:
        return super().fits(node) and fits_halves(self.rows(node)) and bounds_of(node).max() < 1 << (31 - SECOND_SHIFT)

    def rows(self, node: Node) -> Array:
        """[pairs, blocks, channels, 4]"""
        rows = fill_groups(super().rows(node), 1, self.channels)
        return rows.reshape(-1, self.channels, *rows.shape[1:]).swapaxes(1, 2)

    def words(self, row: Array, places: Array) -> Array:
        both = halves_of(row[places]).astype(np.int16)
        return np.stack([both[:, 0::2], both[:, 1::2]], axis=1)

    def biases(self, node: Node) -> Array:
        bias = fill_groups(folded_bias(node).values.astype(np.int64), 1, self.channels).reshape(-1, self.channels)
        return modulo_word(np.stack([bias[:, 0], bias[:, 0] + (bias[:, 1] << SECOND_SHIFT)], axis=1))


def halves_of(blocks: Array) -> Array:
    """int8 [..., 2, 4] as 256*c1 + c0 [..., 4]."""
    wide = blocks.astype(np.int32)
    return np.asarray(wide[..., 0, :] + (wide[..., 1, :] << SECOND_SHIFT))


def fits_halves(blocks: Array) -> bool:
    """-128 and something negative below it do not fit 16 bits."""
    return bool(halves_of(blocks).min(initial=0) >= DType.I16.low)
