"""Piecewise quadratic approximation of x * sigmoid(x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Builder, DType, OnnxNode, Tensor
from .tflite_tables import hard_swish
from .unary import Unary


@dataclass(frozen=True)
class HardSwish(Unary):
    """y = x * min(max(x/6 + 1/2, 0), 1)."""

    name = "hard_swish"
    onnx = ("HardSwish",)
    tflite_types = frozenset({DType.I8})

    def function(self, x: Array) -> Array:
        return x * np.clip(x / 6 + 0.5, 0, 1)

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        return hard_swish(x, y)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        build.result(node, build.emit(cls(), build.input(node, 0), name=node.name))
