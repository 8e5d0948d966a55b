"""The larger of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array
from .binary import Binary
from .same_scale import SameScale


@dataclass(frozen=True)
class Max(SameScale, Binary):
    """y = max(a, b), with numpy's broadcasting. Integers: compares stored values, all on one scale."""

    name = "max"
    onnx = ("Max",)

    def combine(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)
