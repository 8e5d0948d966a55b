"""Convolution of int8 weights with zeros, with dual multiplications: six sums at a time, zeros are skipped.

Windows of several pixels lie side by side in scratch, so they share what it costs to find the next weight:

    relative  six pixels, one channel: a byte says how many taps to skip, a byte is the weight
    bitmap    the same; words of 31 bits say which taps have a weight
    blocks    six pixels, one channel: a byte says how many blocks of four taps to skip, a word has four weights
    pairs     three pixels, two channels with common blocks
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
from .lanes import Lanes
from .packing import fill_groups, folded_bias
from .requantization import HighWord, fits_high_word, high_word, high_word_constants
from .sparse_lists import BLOCK, is_sparse, listed_places, skipped, stored_once, used

SUMS = 6
MOST_PLACES = 1 << 15
UNROLLS = {8: 32, 4: 8, 2: 4}  # steps that are written out, by how many a list has at least
WRITTEN_OUT = 16  # words of a window whose expansion is


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
            g, self.kind, self.pixels, self.channels, self.unrolled(node), self.map_words(g), self.lanes(g),
            high_word(node), self.step_nbytes,
        )  # fmt: skip

    def walk(self, node: Node) -> Geometry:
        return geometry(node)

    def lanes(self, g: Geometry) -> Lanes | None:
        return None

    def map_words(self, g: Geometry) -> int:
        return 0

    @abstractmethod
    def rows(self, node: Node) -> Array:
        """What is listed of each channel or two: [rows, places] or [rows, places, weights]."""

    def words(self, row: Array, places: Array) -> Array:
        """The weights at these places, in bytes."""
        return np.asarray(row[places])

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
