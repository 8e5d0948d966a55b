"""Dense of one int8 row whose weights have zeros, with dual multiplications (sparse_rows.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ir import Array, Node
from ...target.cores import Isa
from ..conv2d.blocked import modulo_word
from ..conv2d.packing import fill_groups, folded_bias
from ..conv2d.requantization import HighWord, bounds_of, fits_high_word, high_word, high_word_constants
from ..conv2d.sparse_blocks import SECOND_SHIFT, fits_halves, halves_of
from ..conv2d.sparse_lists import BLOCK, blocks_of, listed_places
from ..kernel import Packed
from .sparse_rows import MOST_SKIPPED, STEP, Rows, ScalarBitmap, weight_of

OUTPUTS = 4


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
    costs = {
        "cortex-m4": (27.5, 50.6, 3.4), "cortex-m7": (17.0, 45.7, 1.3),
        "cortex-m33": (26.0, 47.7, 2.3), "cortex-m55": (22.0, 46.6, 2.0),
    }  # fmt: skip

    def fits_sums(self, node: Node) -> bool:
        fits = super().fits_sums(node) and bounds_of(node).max() < 1 << (31 - SECOND_SHIFT)
        return fits and fits_halves(self.rows(node).reshape(-1, 2, BLOCK))

    def rows(self, node: Node) -> Array:
        """[quads, blocks, two, two channels, 4]"""
        rows = fill_groups(super().rows(node), 1, OUTPUTS)
        return rows.reshape(-1, 2, 2, *rows.shape[1:]).transpose(0, 3, 1, 2, 4)

    def words(self, row: Array, places: Array) -> bytes:
        both = halves_of(row[places]).astype(np.int16)  # [blocks, two, 4]
        return np.stack([both[..., 0::2], both[..., 1::2]], axis=2).tobytes()

    def bias_and_scale(self, node: Node) -> Array:
        """Of four outputs: four biases, four scales."""
        bias = fill_groups(folded_bias(node).values.astype(np.int64), 1, OUTPUTS).reshape(-1, 2, 2)
        both = np.stack([bias[..., 0] + (bias[..., 1] << SECOND_SHIFT), bias[..., 0]], axis=2)
        scales = fill_groups(high_word_constants(node), 1, OUTPUTS).reshape(len(bias), -1)
        return np.concatenate([modulo_word(both).reshape(len(bias), -1), scales], axis=1)
