"""Logistic function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Builder, OnnxNode, Tensor
from . import gemmlowp
from .tflite_tables import sigmoid_like
from .unary import Unary


@dataclass(frozen=True)
class Sigmoid(Unary):
    """y = 1 / (1 + exp(-x))."""

    name = "sigmoid"
    onnx = ("Sigmoid",)

    def function(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.asarray(np.where(x >= 0, 1, small) / (1 + small))

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return sigmoid_like(x, y, gemmlowp.logistic, fraction_bits=8)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        build.result(node, build.emit(cls(), build.input(node, 0), name=node.name))
