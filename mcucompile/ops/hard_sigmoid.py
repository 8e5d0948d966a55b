"""Piecewise linear approximation of the logistic function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Attribute, Builder, OnnxNode
from .unary import Unary

DEFAULT_ALPHA = float(np.float32(0.2))  # as a file would carry it


@dataclass(frozen=True)
class HardSigmoid(Unary):
    """y = min(max(alpha*x + beta, 0), 1)."""

    alpha: float = 0.2
    beta: float = 0.5

    name = "hard_sigmoid"
    onnx = ("HardSigmoid",)

    def function(self, x: Array) -> Array:
        return np.clip(self.alpha * x + self.beta, 0, 1)

    def onnx_attributes(self) -> dict[str, Attribute]:
        return {"alpha": self.alpha, "beta": self.beta}

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        op = cls(node.number("alpha", DEFAULT_ALPHA), node.number("beta", 0.5))
        build.result(node, build.emit(op, build.input(node, 0), name=node.name))
