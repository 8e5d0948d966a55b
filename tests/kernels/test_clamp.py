"""Kernels of Clamp."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import activation, case, zeros
from rig import check

from mcucompile.ir import Clip, DType
from mcucompile.ops.clamp import Clamp

CLIPS = (Clip(0.0), Clip(0.0, 6.0), Clip(-np.inf, 0.5), Clip(-1.5, 1.25), Clip(1e9))


@pytest.mark.parametrize("dtype", [DType.I8, DType.U8, DType.I16, DType.F32])
def test_clamp(dtype: DType) -> None:
    cases = []
    for clip in CLIPS:
        for zero in zeros(dtype):
            for shape in ((1,), (5,), (2, 3, 1, 7), (300,)):
                x, y = activation("x", shape, dtype, zero), activation("y", shape, dtype, zero)
                cases.append(case(f"clamp {clip} {zero} {shape}", Clamp(clip), [x], [y]))
    check(cases)
