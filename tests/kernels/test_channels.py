"""Kernels of PRelu and Affine: numbers per channel."""

from __future__ import annotations

import numpy as np
from one_node import activation, case, check_thinned, fixed_constant

from mcucompile.ir import DType, Numerics
from mcucompile.ops.affine import Affine
from mcucompile.ops.prelu import PRelu

SHAPES = (((3,), 0), ((2, 5), 1), ((2, 4, 1, 3), 1), ((2, 3, 5, 7), 3), ((1, 2, 3, 2, 2), 2))


def slopes(count: int) -> tuple[float, ...]:
    return tuple(float(s) for s in np.random.default_rng(count).normal(0, 1, count).astype(np.float32))


def test_prelu_of_integers() -> None:
    cases = []
    for shape, axis in SHAPES:
        for dtype, zero in ((DType.I8, 0), (DType.I8, -128), (DType.I8, 90), (DType.I16, 0), (DType.I16, 300)):
            for numerics in Numerics:
                x, y = activation("x", shape, dtype, zero), activation("y", shape, dtype, zero // 3, 0.0007)
                op = PRelu(slopes(shape[axis]), axis)
                cases.append(case(f"prelu {shape} {axis} {dtype.value} {zero}", op, [x], [y], numerics))
    check_thinned(cases, 3)


def test_prelu_of_reals() -> None:
    cases = []
    for shape, axis in SHAPES:
        x, y = activation("x", shape, DType.F32), activation("y", shape, DType.F32)
        cases.append(case(f"prelu {shape} {axis}", PRelu(slopes(shape[axis]), axis), [x], [y]))
    check_thinned(cases, 1)


def test_affine() -> None:
    """numpy's bits: the product is rounded before the offset is added."""
    cases = []
    for shape, _ in SHAPES:
        x, y = activation("x", shape, DType.F32), activation("y", shape, DType.F32)
        numbers = [np.asarray(slopes(shape[-1] * k)[: shape[-1]]) for k in (1, 2)]
        constants = [fixed_constant(activation(n, v.shape, DType.F32), v) for n, v in zip("fo", numbers, strict=True)]
        cases.append(case(f"affine {shape}", Affine(), [x, *constants], [y]))
    check_thinned(cases, 1)
