"""The same real values on another scale, or in another integer type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import Array, Arrays, DType, Exporter, Node, Numerics, Requant, Tensor, requant, saturate
from .fixed_point import TFLITE_TYPES, reach, scale_of
from .tflite_tables import rescaled
from .unary import Unary


@dataclass(frozen=True)
class Requantize(Unary):
    """y = x. Integers: int8 and uint8 inputs by a table of 256 entries of y's type, as in `Unary`; int16 inputs by
    y = sat(zero_y + requant(q_x - zero_x)), `requant` with one entry.
    """

    requant: Requant | None = None

    name = "requantize"
    tflite_types = TFLITE_TYPES

    def function(self, x: Array) -> Array:
        return x

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return rescaled(x, y)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, y = node.inputs[0], node.output
        if x.dtype is not DType.I16:
            return super().fix(node, numerics)
        return replace(self, requant=requant((scale_of(x) / scale_of(y),), numerics))

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        return (reach(node.inputs[0]),) if self.requant else ()

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        x, y = node.inputs[0], node.output
        if x.dtype is not DType.I16:
            return super().reference_int(node, *stored)
        assert self.requant and x.quant and y.quant
        return (saturate(self.requant.apply(stored[0].astype(np.int64) - x.quant.zero) + y.quant.zero, y.dtype),)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        """A Dequantize and a Quantize."""
        export.result(node, export.value(node.inputs[0]))
