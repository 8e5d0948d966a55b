"""Signs as packed bits: the input of binary layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Arrays, Band, Node, Op, Shape
from .bits import pack, packed_shape


@dataclass(frozen=True)
class PackSigns(Op):
    """Bit c of y [..., words] is 1 where x [..., C] is positive, or where it is not negative (`zero_is_positive`).

    x: real, or stored integers, whose zero point counts as zero. The layout is that of ops/bits.py.
    """

    zero_is_positive: bool = True

    name = "pack_signs"

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (packed_shape(shapes[0]),)

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        return (pack(~(x < 0) if self.zero_is_positive else x > 0),)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        (x,), quant = stored, node.inputs[0].quant
        return self.reference(x.astype(np.int64) - quant.zero if quant else x)

    def band(self, node: Node, rows: range) -> Band | None:
        return Band(self, (rows,))
