"""Hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Builder, DType, OnnxNode, QuantParams, ScaleRule, Tensor
from . import gemmlowp
from .fixed_point import unit_quant
from .tflite_tables import sigmoid_like
from .unary import Unary


@dataclass(frozen=True)
class Tanh(Unary):
    """y = tanh(x)."""

    name = "tanh"
    onnx = ("Tanh",)
    scales = ScaleRule.FIXED
    tflite_types = frozenset({DType.I8})

    def function(self, x: Array) -> Array:
        return np.tanh(x)

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return sigmoid_like(x, y, gemmlowp.tanh, fraction_bits=7)

    def fixed_quant(self, dtype: DType) -> QuantParams:
        return unit_quant(dtype, 1 / 128, 0)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        build.result(node, build.emit(cls(), build.input(node, 0), name=node.name))
