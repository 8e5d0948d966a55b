"""Difference of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Array
from .linear_sum import ScaledSum


@dataclass(frozen=True)
class Sub(ScaledSum):
    """y = a - b, with numpy's broadcasting. Integers: see `LinearSum` and `GemmlowpSum`."""

    name = "sub"
    onnx = ("Sub",)
    sign = -1

    def combine(self, a: Array, b: Array) -> Array:
        return a - b
