"""Convolution of int8 weights of which blocks of four are zero, with dual multiplications (sparse_tiles.py).

In a word of `pairs` the bytes c0, c1 of two channels make 16 bits, 256*c1 + c0, twice; SXTB16 makes (c0, c0') of it.
One sum is that of channel 0, another has 256 times that of channel 1 besides; half of the words need no unpacking.
"""

from __future__ import annotations

import numpy as np

from ...ir import Array, DType, Node
from .blocked import modulo_word
from .geometry import Geometry
from .lanes import Lanes, block_geometry, lane_weights, lanes_of
from .packing import fill_groups, folded_bias
from .requantization import bounds_of
from .sparse_lists import blocks_of
from .sparse_tiles import SUMS, Tiles

SECOND_SHIFT = 8  # of the second channel's weights in 16 bits


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
