"""Kernels of functions of one value, and of Requantize."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from one_node import activation, case, check_thinned, zeros
from rig import Case, Tolerance, check

from mcucompile.ir import Array, DType, Numerics, Op
from mcucompile.ops.hard_sigmoid import HardSigmoid
from mcucompile.ops.hard_swish import HardSwish
from mcucompile.ops.leaky_relu import LeakyRelu
from mcucompile.ops.requantize import Requantize
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.tanh import Tanh

OPS: tuple[Op, ...] = (HardSigmoid(), HardSwish(), LeakyRelu(0.1), Sigmoid(), Tanh())
SHAPES = ((1,), (7,), (2, 1, 3, 5), (1, 33, 4), (129, 2))


def integer_cases(op: Op, dtype: DType, numerics: Numerics, step: int) -> Iterator[Case]:
    """Every step-th stored value that there is, then awkward shapes."""
    values = np.arange(dtype.low, dtype.high + 1, step).astype(dtype.numpy)
    for zero in zeros(dtype):
        x, y = activation("x", values.shape, dtype, zero), activation("y", values.shape, dtype, zero // 2, 0.007)
        yield case(f"{op.name} all {zero}", op, [x], [y], numerics, [{"x": values}])
    for shape in SHAPES:
        x, y = activation("x", shape, dtype, 5), activation("y", shape, dtype, 1, 0.01)
        yield case(f"{op.name} {shape}", op, [x], [y], numerics)


@pytest.mark.parametrize("numerics", Numerics)
def test_functions_of_int8(numerics: Numerics) -> None:
    check_thinned([c for op in OPS for c in integer_cases(op, DType.I8, numerics, 1)], 2)


def test_functions_of_int16() -> None:
    check([c for op in OPS for c in integer_cases(op, DType.I16, Numerics.ONNX, 7)])


@pytest.mark.parametrize("numerics", Numerics)
def test_functions_of_every_int16(numerics: Numerics) -> None:
    check([c for op in OPS for c in integer_cases(op, DType.I16, numerics, 1)], boards=())


def test_requantize() -> None:
    types = (DType.I8, DType.U8, DType.I16)
    cases = []
    for from_type, to_type, numerics in product(types, types, Numerics):
        for zero, shape in product(zeros(from_type), ((1,), (2, 3, 5), (333,))):
            x = activation("x", shape, from_type, zero)
            y = activation("y", shape, to_type, zeros(to_type)[-1], 0.03)
            name = f"{from_type.value} {to_type.value} {numerics.value} {zero} {shape}"
            cases.append(case(name, Requantize(), [x], [y], numerics))
    check_thinned(cases, 4)


def large_and_small() -> Array:
    values = np.random.default_rng(0).normal(0, 4, 500)
    return np.concatenate([values, [0, -0.0, 1e-30, -1e-30, 20, -20, 88, -88, 3, -3, 1e30, -1e30]]).astype(np.float32)


def test_real_functions_without_libm() -> None:
    """HardSigmoid, HardSwish and LeakyRelu give numpy's very bits, since nothing is fused."""
    cases = []
    for op in (HardSigmoid(), HardSwish(), LeakyRelu(0.1)):
        for values in (large_and_small(), np.float32([-1.5]), np.ones((2, 3, 1, 5), np.float32)):
            x, y = activation("x", values.shape, DType.F32), activation("y", values.shape, DType.F32)
            cases.append(case(f"{op.name} {values.shape}", op, [x], [y], samples=[{"x": values}]))
    check(cases)


def within_ulps(op: Op, ulps: float) -> Tolerance:
    """Plus half a unit for numpy's own rounding, and two for its exp."""

    def bound(sample: dict[str, Array]) -> dict[str, Array]:
        (y,) = op.reference(sample["x"])
        return {"y": np.spacing(np.abs(y)).astype(np.float64) * (ulps + 2.5)}

    return bound


def test_real_functions_with_exp() -> None:
    cases = []
    for op, ulps in ((Sigmoid(), 2.4), (Tanh(), 1.3)):
        for values in (large_and_small(), np.float32([[-1.5, 0.3]])):
            x, y = activation("x", values.shape, DType.F32), activation("y", values.shape, DType.F32)
            bound = within_ulps(op, ulps)
            cases.append(case(f"{op.name} {values.shape}", op, [x], [y], samples=[{"x": values}], tolerance=bound))
    check(cases)
