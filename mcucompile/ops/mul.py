"""Product of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ..ir import Array, Node, Numerics, Requant, requant
from .binary import Binary
from .fixed_point import scale_of


@dataclass(frozen=True)
class Mul(Binary):
    """y = a * b, with numpy's broadcasting.

    Integers: y = sat(zero_y + requant((a - zero_a) * (b - zero_b))); the product fits int32, `requant` has one entry.
    """

    requant: Requant | None = None

    name = "mul"
    onnx = ("Mul",)

    def combine(self, a: Array, b: Array) -> Array:
        return a * b

    def fix(self, node: Node, numerics: Numerics) -> Self:
        a, b, y = (*node.inputs, node.output)
        return replace(self, requant=requant((scale_of(a) * scale_of(b) / scale_of(y),), numerics))
