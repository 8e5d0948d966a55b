"""The smaller of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array
from .binary import Binary
from .same_scale import SameScale


@dataclass(frozen=True)
class Min(SameScale, Binary):
    """y = min(a, b), with numpy's broadcasting. Integers: compares stored values, all on one scale.

    Reals: where an operand is NaN, the reference and ONNX give NaN, and the C gives b (it computes a < b ? a : b).
    Finite inputs make no NaN unless a float overflows on the way.
    """

    name = "min"
    onnx = ("Min",)

    def combine(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)
