"""Kernels of Clamp."""

from __future__ import annotations

from itertools import product

import numpy as np
from one_node import activation, case, check_thinned, zeros

from mcucompile.ir import Clip, DType
from mcucompile.ops.clamp import Clamp

CLIPS = (Clip(0.0), Clip(0.0, 6.0), Clip(-np.inf, 0.5), Clip(-1.5, 1.25), Clip(1e9))


def test_clamp() -> None:
    cases = []
    for dtype, clip in product((DType.I8, DType.U8, DType.I16, DType.F32), CLIPS):
        for zero in zeros(dtype):
            for shape in ((1,), (5,), (2, 3, 1, 7), (300,)):
                x, y = activation("x", shape, dtype, zero), activation("y", shape, dtype, zero)
                cases.append(case(f"clamp {dtype.value} {clip} {zero} {shape}", Clamp(clip), [x], [y]))
    check_thinned(cases, 5)
