"""Logistic function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Builder, DType, OnnxNode, QuantParams, ScaleRule, Tensor
from . import gemmlowp
from .fixed_point import unit_quant
from .tflite_tables import sigmoid_like
from .unary import Unary


@dataclass(frozen=True)
class Sigmoid(Unary):
    """y = 1 / (1 + exp(-x))."""

    name = "sigmoid"
    onnx = ("Sigmoid",)
    scales = ScaleRule.FIXED
    tflite_types = frozenset({DType.I8})

    def function(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.asarray(np.where(x >= 0, 1, small) / (1 + small))

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return sigmoid_like(x, y, gemmlowp.logistic, fraction_bits=8)

    def fixed_quant(self, dtype: DType) -> QuantParams:
        return unit_quant(dtype, 1 / 256, -128)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        build.result(node, build.emit(cls(), build.input(node, 0), name=node.name))
