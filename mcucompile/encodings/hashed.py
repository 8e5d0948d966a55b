"""Weights that a hash of their place picks from a codebook; nothing else is kept (HashedNets, Chen et al. 2015).

A weight's place is its number in the constant as the network has it; a stream, which is in the order in which a kernel
reads, finds the places by a walk: nested loops with an extent and a stride each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .encoding import MIRRORED, PLAIN, SHIFTED, Encoded, Encoding, Layout, Params, Walk, masked
from .pace import PACES, Pace

RATIOS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # weights per value of the codebook
MOST_VALUES = 65535
DEEPEST = 6  # loops of a walk
MULTIPLIERS = (0x9E3779B1, 0x2C1B3C6D)


def hashed_indices(places: Array, count: int) -> Array:
    """Which of `count` values each place has: a multiplicative hash, scaled to 0..count - 1."""
    mixed = (places.astype(np.uint64) * MULTIPLIERS[0]) & 0xFFFFFFFF
    mixed ^= mixed >> np.uint64(15)
    mixed = (mixed * MULTIPLIERS[1]) & 0xFFFFFFFF
    indices: Array = ((mixed >> np.uint64(16)) * np.uint64(count) >> np.uint64(16)).astype(np.int64)
    return indices


def codebook_size(count: int, ratio: int) -> int:
    """Values in the codebook of so many weights."""
    return min(MOST_VALUES, max(1, count // ratio))


def walk_of(places: Array) -> Walk | None:
    """The loops, innermost first, that visit these places in order; None where there are no such loops."""
    loops: list[tuple[int, int]] = []
    starts = places.astype(np.int64)
    if starts[0] != 0:
        return None
    while starts.size > 1:
        steps = np.diff(starts)
        others = np.flatnonzero(steps != steps[0])
        extent = int(others[0]) + 1 if others.size else starts.size
        if starts.size % extent:
            return None
        rows = starts.reshape(-1, extent)
        if not (np.diff(rows, axis=1) == steps[0]).all():
            return None
        loops.append((extent, int(steps[0])))
        starts = rows[:, 0]
    return tuple(loops) if len(loops) <= DEEPEST else None


def places_of(walk: Walk, count: int) -> Array:
    """int64 [count]: the places in the order of the walk."""
    places = np.zeros(1, np.int64)
    for extent, stride in walk:
        places = (np.arange(extent)[:, None] * stride + places).reshape(-1)
    return places if walk else np.arange(count)


def with_jumps(walk: Walk) -> Walk:
    """(extent, jump): what a step of each loop adds to the place when the loops inside of it have ended."""
    rows, inside = [], 0
    for k, (extent, stride) in enumerate(walk):
        rows.append((extent, stride - inside))
        inside += (extent if k == 0 else extent - 1) * stride
    return tuple(rows)


def without_jumps(rows: Array) -> Walk:
    """The inverse of `with_jumps`."""
    walk, inside = [], 0
    for k, (extent, jump) in enumerate(rows.tolist()):
        walk.append((extent, jump + inside))
        inside += (extent if k == 0 else extent - 1) * walk[-1][1]
    return tuple(walk)


@dataclass(frozen=True)
class Hashed(Encoding):
    """Arrays: the codebook, and the walk, innermost first, as rows of extent and of what a step adds to the place."""

    template: ClassVar[str] = "encodings/hashed.c.j2"
    needs_walk: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "hashed"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        return values.size > 0 and _codebook(values, layout) is not None

    def pays(self, values: Array) -> bool:
        """Nobody's weights are hashed by chance."""
        return False

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        codebook = _codebook(values, layout)
        assert codebook is not None, "these values are not hashed"
        stored = masked(codebook, SHIFTED if layout.shifted else 0).view(np.uint8)
        walk = np.array(with_jumps(layout.walk or ((values.size, 1),)), np.int32)
        params = Params(MIRRORED if layout.mirrored else 0)
        return Encoded((("codebook", stored), ("walk", walk)), params, values.size)

    def decode(self, encoded: Encoded) -> Array:
        (_, codebook), (_, walk) = encoded.arrays
        places = places_of(without_jumps(walk), encoded.count)
        return masked(codebook.view(np.int8)[hashed_indices(places, codebook.size)], encoded.params.mask)

    def pace(self, params: Params) -> Pace:
        return PACES[self.name]


def _codebook(values: Array, layout: Layout) -> Array | None:
    """The smallest codebook from which these values can come."""
    places = places_of(layout.walk, values.size)
    if places.size != values.size:
        return None
    for ratio in reversed(RATIOS):
        indices = hashed_indices(places, codebook_size(values.size, ratio))
        codebook = np.zeros(codebook_size(values.size, ratio), np.int8)
        codebook[indices] = values
        if (codebook[indices] == values).all():
            return codebook
    return None
