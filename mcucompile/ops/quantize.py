"""QuantizeLinear between a real and a stored tensor, where one of them remains in the compiled network."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Array, Arrays, Exporter, Node, Op, Shape


@dataclass(frozen=True)
class Quantize(Op):
    """y = saturate(round_half_even(x / scale) + zero); scale and zero are those of the output tensor."""

    name = "quantize"

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        return args

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        quant = node.output.quant
        assert quant
        return (quant.quantize(stored[0]),)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, export.value(node.inputs[0]))
