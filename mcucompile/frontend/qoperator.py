"""The operators of the QOperator format: each is a real operator between DequantizeLinear and QuantizeLinear.

    y = QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b)
    -->   y = QuantizeLinear(Conv(DequantizeLinear(x …), DequantizeLinear(w …), DequantizeLinear(b, x_scale·w_scale)) …)

Those of com.microsoft are what ONNX Runtime's quantizer writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..ir import Array, Attribute, OnnxNode, Shape, Unsupported
from ..passes.edit import INNER

BINARY = {"QLinearAdd": "Add", "QLinearMul": "Mul", "QLinearMatMul": "MatMul"}
UNARY = {
    "QLinearAveragePool": "AveragePool", "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu", "QLinearSigmoid": "Sigmoid", "QLinearSoftmax": "Softmax",
}  # fmt: skip
OTHERS = ("QGemm", "QLinearConcat", "QLinearConv")
FOREIGN = ("QLinearAdd", "QLinearMul", *UNARY, "QGemm", "QLinearConcat")  # of the domain com.microsoft


class Context(Protocol):
    """What the expansion may ask for and add."""

    def shape_of(self, name: str) -> Shape: ...

    def new_constant(self, hint: str, values: Array) -> str: ...

    def new_name(self, hint: str) -> str: ...


class Expansion:
    """The nodes that one node becomes."""

    def __init__(self, node: OnnxNode, context: Context) -> None:
        self.node, self.context = node, context
        self.nodes: list[OnnxNode] = []

    def input(self, index: int) -> str:
        return self.node.inputs[index] if self.node.has_input(index) else ""

    def add(self, op_type: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        output = self.context.new_name(f"{self.node.outputs[0]}/{INNER}")
        self.nodes.append(OnnxNode(self.node.name, op_type, tuple(inputs), (output,), attributes))
        return output

    def real(self, index: int, axis: int = 0) -> str:
        """The dequantized tensor whose integers, scale and zero point are three inputs in a row."""
        x, scale, zero = (self.input(index + i) for i in range(3))
        if np.prod(self.context.shape_of(scale)) == 1:
            return self.add("DequantizeLinear", (x, scale, zero))
        return self.add("DequantizeLinear", (x, scale, zero), axis=axis)

    def finish(self, value: str, index: int) -> list[OnnxNode]:
        """Quantize the result with the scale and zero point at `index`."""
        inputs = (value, self.input(index), self.input(index + 1))
        self.nodes.append(OnnxNode(self.node.name, "QuantizeLinear", inputs, self.node.outputs))
        return self.nodes


def expand(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """The node as standard operators; its attributes go to the real one."""
    e, kept = Expansion(node, context), dict(node.attributes)
    if node.op_type in BINARY:
        return e.finish(e.add(BINARY[node.op_type], (e.real(0), e.real(3, axis=-1))), 6)
    if node.op_type in UNARY:
        if kept.pop("channels_last", 0):
            raise Unsupported("channels_last=1", "export the quantized model before layout optimization")
        kept.pop("opset", None)
        return e.finish(e.add(UNARY[node.op_type], (e.real(0),), **kept), 3)
    if node.op_type == "QLinearConcat":
        return e.finish(e.add("Concat", [e.real(i) for i in range(2, len(node.inputs), 3)], **kept), 0)
    if node.op_type == "QGemm":
        return gemm(e, kept)
    return e.finish(e.add("Conv", (e.real(0), e.real(3), bias(e, 8)), **kept), 6)


def gemm(e: Expansion, attributes: dict[str, Attribute]) -> list[OnnxNode]:
    """The bias of QGemm comes before the output's scale, which may be absent."""
    if not e.input(7):
        raise Unsupported("a QGemm with a real output")
    columns = 0 if attributes.get("transB") else 1
    return e.finish(e.add("Gemm", (e.real(0), e.real(3, columns), bias(e, 6)), **attributes), 7)


def bias(e: Expansion, index: int) -> str:
    """An int32 bias has the scale of the products."""
    if not e.input(index):
        return ""
    scale = e.add("Mul", (e.input(1), e.input(4)))
    return e.add("DequantizeLinear", (e.input(index), scale), axis=0)


EXPANDED = (*BINARY, *UNARY, *OTHERS)
