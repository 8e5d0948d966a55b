"""Convolution of int8 weights of which single ones are zero, with dual multiplications (sparse_tiles.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ir import Array, Node
from .geometry import Geometry
from .packing import weight_rows
from .sparse_lists import MAP_BITS, bitmap
from .sparse_tiles import Tiles


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


class Bitmap(Relative):
    variant = "sparse_bitmap"
    encoding = "bitmap"
    kind = "bitmap"
    step_nbytes = 64
    costs = {
        "cortex-m4": (21.0, 0.0, 3.7, 247.0, 16.8), "cortex-m7": (13.0, 0.0, 1.1, 244.0, 20.5),
        "cortex-m33": (18.9, 0.0, 2.0, 281.0, 23.3), "cortex-m55": (17.0, 0.0, 2.2, 217.0, 15.2),
    }  # fmt: skip

    def map_words(self, g: Geometry) -> int:
        return -(-g.patch // MAP_BITS)

    def places(self, node: Node) -> list[Array]:
        return [np.flatnonzero(row) for row in self.rows(node)]

    def lists(self, node: Node, places: Sequence[Array]) -> list[bytes]:
        return [bitmap(row != 0).tobytes() for row in self.rows(node)]

    def steps(self, places: Array, unroll: int) -> list[int]:
        return []

    def unrolled(self, node: Node) -> int:
        return 1

    def counts(self, node: Node) -> tuple[float, ...]:
        g = self.walk(node)
        return *super().counts(node), -(-g.pixels // self.pixels) * g.out_channels * self.map_words(g)
