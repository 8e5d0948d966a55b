"""DequantizeLinear between a stored and a real tensor, where one of them remains in the compiled network."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Array, Arrays, Exporter, Node, Op, Shape
from .fixed_point import TFLITE_TYPES


@dataclass(frozen=True)
class Dequantize(Op):
    """y = scale * (x - zero) in float32; scale and zero are those of the input tensor."""

    name = "dequantize"
    elementwise = True
    tflite_types = TFLITE_TYPES

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        return args

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        quant = node.inputs[0].quant
        assert quant
        return (quant.dequantize(stored[0]),)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, export.value(node.inputs[0]))
