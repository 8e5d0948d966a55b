"""Kernels of ReduceMean."""

from __future__ import annotations

import numpy as np
from one_node import activation, case, check_thinned

from mcucompile.ir import DType, Numerics
from mcucompile.ops.reduce_mean import ReduceMean

MEANS = (
    ((5,), (0,)),
    ((1, 1), (1,)),
    ((2, 7, 5, 9), (1, 2)),
    ((1, 8, 8, 16), (1, 2)),
    ((2, 3, 4, 5), (3,)),
    ((2, 3, 4, 5), (0, 2)),
    ((2, 3, 4, 5), (1, 3)),
    ((2, 3, 1, 2, 3), (0, 1, 2, 3, 4)),
    ((2, 300), (1,)),
)


def test_integers() -> None:
    cases = []
    for shape, axes in MEANS:
        for dtype, zero in ((DType.I8, 0), (DType.I8, -128), (DType.I8, 127), (DType.I16, 0), (DType.I16, 300)):
            for numerics in Numerics:
                for keepdims in (True, False):
                    op, x = ReduceMean(axes, keepdims), activation("x", shape, dtype, zero)
                    y = activation("y", op.infer(shape)[0], dtype, -zero // 2, (x.quant.scale if x.quant else 1) / 3)
                    name = f"mean {shape} {axes} {dtype.value} {zero} {numerics.value}"
                    cases.append(case(name, op, [x], [y], numerics))
    check_thinned(cases, 7)


def test_sums_of_64_bits() -> None:
    x, y = activation("x", (40000, 2), DType.I16, 0), activation("y", (1, 2), DType.I16, 0)
    largest = np.full((40000, 2), -32768, np.int16)
    check_thinned([case("mean 40000", ReduceMean((0,)), [x], [y], samples=[{"x": largest}])], 1)


def test_reals() -> None:
    """Only the order of the additions differs from numpy's."""
    cases = []
    for shape, axes in MEANS:
        op, x = ReduceMean(axes), activation("x", shape, DType.F32)
        y = activation("y", op.infer(shape)[0], DType.F32)
        bound = np.full(y.shape, op.count(shape) * 16.0 * np.finfo(np.float32).eps)
        cases.append(case(f"mean {shape} {axes}", op, [x], [y], tolerance=lambda _, bound=bound: {"y": bound}))
    check_thinned(cases, 2)
