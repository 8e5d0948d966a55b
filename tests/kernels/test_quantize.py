"""Kernels of Quantize and Dequantize."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import SCALES, activation, case, random_sample, zeros
from rig import Case, check

from mcucompile.ir import Array, DType, Numerics
from mcucompile.ops.dequantize import Dequantize
from mcucompile.ops.quantize import Quantize

SHAPES = ((1,), (1, 3), (2, 5, 7), (131,))
STORED = (DType.I8, DType.U8, DType.I16)


def reals(dtype: DType, zero: int) -> Array:
    """Ties, their neighbours, values far outside, infinities."""
    scale = np.float32(SCALES[dtype])
    steps = np.concatenate([np.arange(dtype.low - zero - 3, dtype.low - zero + 300), np.arange(-260, 260)])
    ties = ((steps + 0.5) * scale).astype(np.float32)
    near = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    far = np.asarray([0, -0.0, 1e-40, 3e9, -3e9, 3e38, -3e38, np.inf, -np.inf], np.float32)
    return np.concatenate([ties, *near, far])


def quantize_cases(dtype: DType) -> list[Case]:
    cases = []
    for zero in zeros(dtype):
        values = reals(dtype, zero)
        x, y = activation("x", values.shape, DType.F32), activation("y", values.shape, dtype, zero)
        cases.append(case(f"quantize ties {dtype} {zero}", Quantize(), [x], [y], samples=[{"x": values}]))
        for shape in SHAPES:
            x, y = activation("x", shape, DType.F32), activation("y", shape, dtype, zero)
            samples = [random_sample([x], 7)]
            cases.append(case(f"quantize {dtype} {zero} {shape}", Quantize(), [x], [y], samples=samples))
    return cases


@pytest.mark.parametrize("dtype", STORED)
def test_quantize(dtype: DType) -> None:
    check(quantize_cases(dtype))


@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
def test_quantize_as_tensorflow_lite(dtype: DType) -> None:
    cases = []
    for zero in zeros(dtype):
        values = reals(dtype, zero)
        x, y = activation("x", values.shape, DType.F32), activation("y", values.shape, dtype, zero)
        name = f"quantize ties away {dtype} {zero}"
        cases.append(case(name, Quantize(), [x], [y], Numerics.TFLITE, [{"x": values}]))
    check(cases)


@pytest.mark.parametrize("dtype", STORED)
def test_dequantize(dtype: DType) -> None:
    cases = []
    for zero in zeros(dtype):
        for shape in ((1024,), *SHAPES):
            x, y = activation("x", shape, dtype, zero), activation("y", shape, DType.F32)
            cases.append(case(f"dequantize {dtype} {zero} {shape}", Dequantize(), [x], [y]))
    check(cases)
