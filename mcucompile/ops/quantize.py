"""QuantizeLinear between a real and a stored tensor, where one of them remains in the compiled network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import Array, Arrays, Exporter, Node, Numerics, Op, Shape, saturate
from .fixed_point import TFLITE_TYPES


@dataclass(frozen=True)
class Quantize(Op):
    """y = saturate(round(x / scale) + zero), a float32 division; scale and zero are those of the output tensor.

    Ties go to even, as QuantizeLinear says, or away from zero (`ties_away`), as TensorFlow Lite does.
    """

    ties_away: bool = False

    name = "quantize"
    elementwise = True
    tflite_types = TFLITE_TYPES

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        return args

    def fix(self, node: Node, numerics: Numerics) -> Self:
        return replace(self, ties_away=numerics is Numerics.TFLITE)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        quant = node.output.quant
        assert quant
        if not self.ties_away:
            return (quant.quantize(stored[0]),)
        with np.errstate(over="ignore"):
            steps = stored[0] / np.float32(quant.scale)
        magnitude = np.floor(np.abs(steps.astype(np.float64)) + 0.5)
        return (saturate(np.copysign(magnitude, steps) + quant.zero, quant.dtype),)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, export.value(node.inputs[0]))
