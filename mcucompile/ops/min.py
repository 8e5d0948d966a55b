"""The smaller of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array
from .binary import Binary
from .same_scale import SameScale


@dataclass(frozen=True)
class Min(SameScale, Binary):
    """y = min(a, b), with numpy's broadcasting. Integers: compares stored values, all on one scale."""

    name = "min"
    onnx = ("Min",)

    def combine(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)
