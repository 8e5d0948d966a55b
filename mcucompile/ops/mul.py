"""Product of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ..errors import CompileError
from ..ir import Array, Node, Numerics, Requant, requant
from .binary import Binary
from .fixed_point import TFLITE_TYPES, WORD, reach, scale_of, zero_of


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
        if reach(a) * reach(b) > WORD:
            raise CompileError(
                "E0204", f"with the zero points {zero_of(a)} and {zero_of(b)} a product does not fit 32 bits",
                fix="quantize int16 operands of a Mul symmetrically, with zero point 0",
            )  # fmt: skip
        return replace(self, requant=requant((scale_of(a) * scale_of(b) / scale_of(y),), numerics))
