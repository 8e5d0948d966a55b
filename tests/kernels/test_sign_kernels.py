"""Kernels of Sign."""

from __future__ import annotations

from itertools import product

import numpy as np
from one_node import activation, case, check_thinned, zeros

from mcucompile.ir import DType, Shape
from mcucompile.ops.sign import Sign


def samples(dtype: DType, zero: int, shape: Shape) -> tuple[dict[str, np.ndarray], ...]:
    """Values next to zero, which random ones seldom are, and the ends of the range."""
    near = [zero - 1, zero, zero + 1] if dtype.is_integer else [-1e-30, 0.0, -0.0, 1e-30]
    far = [dtype.low, dtype.high] if dtype.is_integer else [-np.inf, np.inf]
    limits = (dtype.low, dtype.high) if dtype.is_integer else (None, None)
    values = np.resize(np.asarray(near + far), shape)
    return ({"x": (np.clip(values, *limits) if dtype.is_integer else values).astype(dtype.numpy)},)


def test_sign() -> None:
    cases = []
    for dtype, at_zero in product((DType.I8, DType.U8, DType.I16, DType.F32), (-1, 0, 1)):
        for zero in zeros(dtype):
            for shape in ((1,), (5,), (2, 3, 1, 7)):
                x = activation("x", shape, dtype, zero)
                y = activation("y", shape, dtype, zero, 1.0 if at_zero else 0.3)
                name = f"sign {dtype.value} {at_zero} {zero} {shape}"
                cases.append(case(name, Sign(at_zero), [x], [y], samples=samples(dtype, zero, shape)))
    check_thinned(cases, 5)
