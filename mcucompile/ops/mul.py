"""Product of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ..ir import Array, Node, Numerics, Requant, requant
from .binary import Binary
from .fixed_point import TFLITE_TYPES, reach, scale_of


@dataclass(frozen=True)
class Mul(Binary):
    """y = a * b, with numpy's broadcasting.

    Integers: y = sat(zero_y + requant((a - zero_a) * (b - zero_b))); the product fits int32, `requant` has one entry.
    """

    requant: Requant | None = None

    name = "mul"
    onnx = ("Mul",)
    tflite_types = TFLITE_TYPES

    def combine(self, a: Array, b: Array) -> Array:
        return a * b

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        a, b = node.inputs
        return (reach(a) * reach(b),) if a.quant and b.quant else ()

    def fix(self, node: Node, numerics: Numerics) -> Self:
        a, b, y = (*node.inputs, node.output)
        return replace(self, requant=requant((scale_of(a) * scale_of(b) / scale_of(y),), numerics))
