"""Kernels of operators on two operands: Add, Sub, Mul, Div, Max, Min."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from one_node import activation, case, check_thinned, fixed_constant, random_values
from rig import Case

from mcucompile.ir import NO_CLIP, Clip, DType, Numerics, Shape
from mcucompile.ops.add import Add
from mcucompile.ops.binary import Binary
from mcucompile.ops.div import Div
from mcucompile.ops.max import Max
from mcucompile.ops.min import Min
from mcucompile.ops.mul import Mul
from mcucompile.ops.sub import Sub

SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((1,), (1,)),
    ((7,), (7,)),
    ((2, 3, 5), (2, 3, 5)),
    ((1, 9, 9, 4), (1, 9, 9, 4)),
    ((2, 3, 5), (1, 1, 5)),
    ((1, 1, 1, 4), (2, 3, 2, 4)),
    ((2, 4, 3), (2, 1, 3)),
    ((3, 1), (1, 6)),
    ((2, 3, 1, 2, 3), (1, 3, 2, 1, 3)),
    ((1, 1), (5, 8)),
    ((130, 1), (130, 2)),
)
CONSTANTS = (None, "a", "b")
# Types of a, b and y with their zero points: everything in the middle, at both ends, apart.
QUANTS = (
    (DType.I8, (0, 0, 0)),
    (DType.I8, (-128, 127, -128)),
    (DType.I8, (127, -5, 17)),
    (DType.I16, (0, 0, 0)),
    (DType.I16, (300, -200, 100)),
)


def binary_case(
    op: Binary, shapes: tuple[Shape, Shape], dtype: DType, zeros: tuple[int, int, int], constant: str | None,
    numerics: Numerics, scales: tuple[float, float, float],
) -> Case:  # fmt: skip
    inputs = [activation(n, s, dtype, z, f) for n, s, z, f in zip("ab", shapes, zeros, scales, strict=False)]
    if constant:
        k = "ab".index(constant)
        inputs[k] = fixed_constant(inputs[k], random_values(shapes[k], dtype, np.random.default_rng(3)))
    y = activation("y", op.infer(*shapes)[0], dtype, zeros[2], scales[2])
    name = f"{op.name} {op.clip} {shapes} {dtype.value} {zeros} constant {constant} {numerics.value} {scales}"
    return case(name, op, inputs, [y], numerics)


def scales_of(op: Binary, dtype: DType) -> tuple[float, float, float]:
    """Scales that use the whole output, and saturate it now and then."""
    unit = 0.02 if dtype is DType.I8 else 0.02 / 256
    if isinstance(op, Mul):
        return unit, unit * 1.7, unit * unit * dtype.high / 3
    if isinstance(op, Div):
        return unit, unit / 3, 0.1 if dtype is DType.I8 else 0.001
    return (unit,) * 3 if isinstance(op, Max | Min) else (unit, unit * 0.61, unit * 1.3)


def integer_cases(op: type[Binary], numerics: Numerics) -> Iterator[Case]:
    for i, (shapes, (dtype, zeros), constant) in enumerate(product(SHAPES, QUANTS, CONSTANTS)):
        clipped = op((NO_CLIP, Clip(0.0), Clip(-0.5, 0.7))[i % 3 if op is not Div else 0])
        kept = (zeros[0],) * 3 if op in (Max, Min) else zeros
        yield binary_case(clipped, shapes, dtype, kept, constant, numerics, scales_of(clipped, dtype))


@pytest.mark.parametrize("op", [Add, Sub, Mul, Div, Max, Min])
def test_integers(op: type[Binary]) -> None:
    """TensorFlow Lite's numerics differ for three of them."""
    cases = list(integer_cases(op, Numerics.ONNX))
    if op in (Add, Sub, Mul):
        cases += integer_cases(op, Numerics.TFLITE)
    check_thinned(cases, 7)


def test_every_pair_of_int8() -> None:
    """All 65,536 pairs, once with scales that are far apart."""
    a = np.repeat(np.arange(-128, 128), 256).astype(np.int8)
    b = np.tile(np.arange(-128, 128), 256).astype(np.int8)
    cases = []
    for op, numerics in product((Add(), Sub(), Mul(), Div()), Numerics):
        for scales in (scales_of(op, DType.I8), (0.5, 0.001, 0.4)):
            zeros = (3, -7, 5)
            tensors = [activation(n, a.shape, DType.I8, z, s) for n, z, s in zip("aby", zeros, scales, strict=True)]
            name = f"{op.name} all {numerics.value} {scales}"
            cases.append(case(name, op, tensors[:2], tensors[2:], numerics, [{"a": a, "b": b}]))
    check_thinned(cases, len(cases))


def test_reals() -> None:
    """The very bits of numpy."""
    cases = []
    for op, shapes, constant in product((Add, Sub, Mul, Div, Max, Min), SHAPES, CONSTANTS):
        clip = Clip(-1.0, 1.5) if len(shapes[0]) == 3 else NO_CLIP
        inputs = [activation(n, s, DType.F32) for n, s in zip("ab", shapes, strict=True)]
        if constant:
            k = "ab".index(constant)
            inputs[k] = fixed_constant(inputs[k], random_values(shapes[k], DType.F32, np.random.default_rng(3)))
        y = activation("y", np.broadcast_shapes(*shapes), DType.F32)
        cases.append(case(f"{op.name} {shapes} {constant}", op(clip), inputs, [y]))
    check_thinned(cases, 5)


def test_operand_with_itself() -> None:
    cases = []
    for op in (Add(), Mul()):
        x, y = activation("x", (2, 3, 7), DType.I8, 5), activation("y", (2, 3, 7), DType.I8, 0, 0.1)
        cases.append(case(f"{op.name} x x", op, [x, x], [y]))
    check_thinned(cases, 1)
