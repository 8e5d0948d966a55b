"""Rectifier with a slope for negative values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Attribute, Builder, DType, OnnxNode, Tensor
from .tflite_tables import leaky
from .unary import Unary

DEFAULT_ALPHA = float(np.float32(0.01))  # as a file would carry it


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """y = x for x >= 0, else alpha*x."""

    alpha: float = 0.01

    name = "leaky_relu"
    onnx = ("LeakyRelu",)
    tflite_types = frozenset({DType.I8})

    def function(self, x: Array) -> Array:
        return np.where(x >= 0, x, self.alpha * x)

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return leaky(x, y, self.alpha)

    def onnx_attributes(self) -> dict[str, Attribute]:
        return {"alpha": self.alpha}

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        op = cls(node.number("alpha", DEFAULT_ALPHA))
        build.result(node, build.emit(op, build.input(node, 0), name=node.name))
