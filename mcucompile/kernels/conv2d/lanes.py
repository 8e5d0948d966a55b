"""How the values of a window are put into words: in place, whatever the length of its runs.

A run of values has whole words, which are read where they are, at any address, and up to three values more. Of a single
run, or where there are three, these are the end of another word, which begins earlier: weights are zero for values that
were there before. Otherwise the values that are left of several runs make a word. So no byte outside a run is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, Node
from .geometry import Gather, Geometry, geometry
from .mirrored import STEP
from .packing import weight_rows

BAND_NBYTES = 1024  # for more, windows at the border are copied one by one


@dataclass(frozen=True)
class Lanes:
    """Of each of `rows` runs: `words` whole ones, one more that ends with the run if `overlaps`, else `rest` values
    that share a word with those of other runs.
    """

    rows: int
    run: int
    words: int
    overlaps: bool
    rest: int

    @property
    def runs_per_word(self) -> int:
        """How many runs have their rests in one word."""
        return STEP // self.rest

    @property
    def row_words(self) -> int:
        return self.words + self.overlaps

    @property
    def rest_words(self) -> int:
        return -(-self.rows // self.runs_per_word) if self.rest else 0

    @property
    def steps(self) -> int:
        return self.rows * self.row_words + self.rest_words

    @property
    def order(self) -> tuple[int, ...]:
        """For each value of the words its place in the window, or -1 where the weight is zero."""
        places: list[int] = []
        for row in range(0, self.rows * self.run, self.run):
            places += range(row, row + STEP * self.words)
            if self.overlaps:
                last = range(row + self.run - STEP, row + self.run)
                places += [i if i >= row + STEP * self.words else -1 for i in last]
        return (*places, *self.rests()) if self.rest else tuple(places)

    def rests(self) -> list[int]:
        """The places of the values in the words that runs share."""
        places: list[int] = []
        for first in range(0, self.rows, self.runs_per_word):
            for row in range(first, first + self.runs_per_word):
                ends = range((row + 1) * self.run - self.rest, (row + 1) * self.run)
                places += ends if row < self.rows else [-1] * self.rest
            places += [-1] * (STEP - self.runs_per_word * self.rest)
        return places


@dataclass(frozen=True)
class Band:
    """The rows of the image that windows of one output row touch, copied with their padding: `nbytes` each."""

    nbytes: int
    before: int
    inside: int


def block_geometry(node: Node) -> Geometry:
    """Runs of any length, but patches of whole words."""
    g = geometry(node)
    return geometry(node, STEP) if g.gather is Gather.ALWAYS else g


def lanes_of(g: Geometry) -> Lanes:
    words, rest = divmod(g.run, STEP)
    overlaps = bool(words) and (rest == 3 or (rest > 0 and g.rows == 1))
    return Lanes(g.rows, g.run, words, overlaps, 0 if overlaps else rest)


def band_of(g: Geometry) -> Band | None:
    """The band for windows that touch the padding, where it is small."""
    _, left, _, right = g.window.pads
    nbytes = (left + g.width + right) * g.channels * g.element.nbytes
    if g.gather is not Gather.BORDER or g.rows * nbytes > BAND_NBYTES:
        return None
    return Band(nbytes, left * g.channels, g.width * g.channels)


def lane_weights(node: Node, g: Geometry, lanes: Lanes) -> Array:
    """The weights [O, 4 * steps] in the order of `Lanes`."""
    flat = weight_rows(node, g).reshape(g.out_channels, g.patch)
    with_zero = np.pad(flat, ((0, 0), (0, 1)))
    return with_zero[:, list(lanes.order)]
