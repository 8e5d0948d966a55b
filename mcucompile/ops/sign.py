"""The sign of a number: the activation of binary networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..ir import Array, Arrays, Builder, DType, Exporter, Node, Numerics, OnnxNode, Op, QuantParams, ScaleRule, Shape

WIDE_SCALE = 2.0**-8  # of signs in 16 bits: with a step of 1 the bounds of sums on them would be far beyond 32 bits


def sign_quant(dtype: DType) -> QuantParams:
    """That of signs, which it stores exactly."""
    return QuantParams.per_tensor(WIDE_SCALE if dtype is DType.I16 else 1.0, 0, dtype)


@dataclass(frozen=True)
class Sign(Op):
    """y = -1 for x < 0, 1 for x > 0, `at_zero` (-1, 0 or 1) for what is neither.

    ONNX's Sign gives 0 at zero. Binary networks were mostly trained with 1 there, which their files say in other ways
    (Larq: sign(sign(x) + 0.1)). Integers: y is stored on the output's scale; `sign_quant` is what post-training
    quantization gives it.
    """

    at_zero: int = 0

    name = "sign"
    onnx = ("Sign",)
    scales = ScaleRule.FIXED
    elementwise = True

    def __post_init__(self) -> None:
        assert self.at_zero in (-1, 0, 1)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        return (np.where(x > 0, 1, np.where(x < 0, -1, self.at_zero)).astype(x.dtype),)

    def fixed_quant(self, dtype: DType) -> QuantParams:
        return sign_quant(dtype)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        """It has no constants to fix: on integers too it only compares."""
        return self

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        x, y = node.inputs[0], node.output
        assert x.quant and y.quant
        (signs,) = self.reference(stored[0].astype(np.int64) - x.quant.zero)
        return (y.quant.quantize(signs.astype(np.float32)),)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        build.result(node, build.emit(cls(), build.input(node, 0), name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        """Sign, or sign(sign(x) + 0.5), which is never 0."""
        (y,) = export.node("Sign", [export.value(node.inputs[0])])
        if self.at_zero:
            half = export.initializer("half", np.asarray(self.at_zero / 2, np.float32))
            (y,) = export.node("Sign", export.node("Add", [y, half]))
        export.result(node, y)
