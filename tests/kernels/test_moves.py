"""Kernels of the operators that only move values: Concat, Pad, Resize, Slice, Split, Transpose."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from one_node import activation, case, check_thinned, fixed_constant, random_values
from rig import Case, check

from mcucompile.ir import DType, Op, Tensor
from mcucompile.ops.concat import Concat
from mcucompile.ops.pad import Pad
from mcucompile.ops.resize import Resize
from mcucompile.ops.slice import Slice
from mcucompile.ops.split import Split
from mcucompile.ops.transpose import Transpose

DTYPES = (DType.I8, DType.I16, DType.F32)


def outputs(op: Op, inputs: list[Tensor], zero: int) -> list[Tensor]:
    dtype = inputs[0].dtype
    return [activation(f"y{k}", shape, dtype, zero) for k, shape in enumerate(op.infer(*(t.shape for t in inputs)))]


def one_input(op: Op, shape: tuple[int, ...], dtype: DType, zero: int = 0) -> Case:
    x = activation("x", shape, dtype, zero)
    return case(f"{op} of {dtype.value} {shape}", op, [x], outputs(op, [x], zero))


def test_transpose() -> None:
    cases = [one_input(Transpose(perm), (2, 3, 5), dtype) for perm in permutations(range(3)) for dtype in DTYPES]
    shapes = (((0,), (7,)), ((1, 0), (1, 9)), ((1, 0), (8, 8)))
    images = (((0, 2, 3, 1), (2, 4, 3, 6)), ((0, 3, 1, 2), (1, 5, 1, 7)))
    cases += [one_input(Transpose(perm), shape, dtype) for perm, shape in (*shapes, *images) for dtype in DTYPES]
    cases += [one_input(Transpose((4, 1, 0, 3, 2)), (2, 3, 1, 4, 2), dtype) for dtype in DTYPES]
    check_thinned(cases, 2)


SLICES = (
    ((5,), (2,), (3,), (1,)),
    ((9,), (8,), (3,), (-3,)),
    ((4, 6), (1, 0), (2, 6), (1, 1)),
    ((2, 5, 7), (0, 1, 2), (2, 3, 4), (1, 1, 1)),
    ((2, 5, 7), (1, 4, 6), (2, 3, 4), (-1, -2, -2)),
    ((1, 6, 6, 8), (0, 0, 0, 4), (1, 6, 6, 4), (1, 1, 1, 1)),
    ((2, 6, 5, 3), (0, 1, 0, 0), (2, 2, 5, 3), (1, 3, 1, 1)),
    ((2, 2, 3, 2, 6), (0, 0, 2, 1, 1), (2, 2, 1, 1, 3), (1, 1, 1, 1, 2)),
    ((1, 1), (0, 0), (1, 1), (1, 1)),
)


def test_slice() -> None:
    check([one_input(Slice(*what), shape, dtype) for shape, *what in SLICES for dtype in DTYPES])


def test_split() -> None:
    splits = ((0, (2, 3), (5,)), (0, (1, 1, 2), (4, 3, 2)), (2, (1, 4, 2), (2, 3, 7)), (3, (5, 3), (1, 4, 4, 8)))
    check([one_input(Split(axis, sizes), shape, dtype) for axis, sizes, shape in splits for dtype in DTYPES])


def concat(axis: int, shapes: list[tuple[int, ...]], dtype: DType, constant: int | None = None) -> Case:
    inputs = [activation(f"x{i}", shape, dtype, 3 if dtype.is_integer else 0) for i, shape in enumerate(shapes)]
    if constant is not None:
        values = random_values(shapes[constant], dtype, np.random.default_rng(5))
        inputs[constant] = fixed_constant(inputs[constant], values)
    op = Concat(axis)
    name = f"concat {axis} {shapes} {dtype.value} {constant}"
    return case(name, op, inputs, outputs(op, inputs, 3 if dtype.is_integer else 0))


CONCATS: tuple[tuple[int, list[tuple[int, ...]]], ...] = (
    (0, [(3,), (1,), (6,)]),
    (1, [(2, 3), (2, 4)]),
    (0, [(1, 5), (3, 5)]),
    (3, [(1, 5, 4, 8), (1, 5, 4, 3)]),
    (1, [(2, 1, 3, 2), (2, 4, 3, 2), (2, 2, 3, 2)]),
    (4, [(2, 1, 1, 3, 5), (2, 1, 1, 3, 1)]),
)


def test_concat() -> None:
    cases = [concat(axis, shapes, dtype) for axis, shapes in CONCATS for dtype in DTYPES]
    cases += [concat(axis, shapes, dtype, k) for axis, shapes in CONCATS for dtype in DTYPES for k in (0, 1)]
    check_thinned(cases, 4)


def test_concat_with_itself() -> None:
    x, y = activation("x", (2, 3, 5)), activation("y", (2, 3, 10))
    check([case("x, x", Concat(2), [x, x], [y])])


PADS = (
    ((5,), (2,), (1,)),
    ((3, 4), (0, 1), (0, 2)),
    ((3, 4), (2, 0), (1, 0)),
    ((1, 5, 6, 3), (0, 1, 1, 0), (0, 1, 1, 0)),
    ((2, 1, 4, 2), (0, 2, 0, 1), (0, 0, 3, 2)),
    ((2, 1, 1, 2, 3), (1, 0, 2, 0, 0), (0, 1, 0, 0, 0)),
    ((2, 3, 8), (0, 0, 0), (0, 0, 8)),
)


@pytest.mark.parametrize("value", [0.0, -1.25])
def test_pad(value: float) -> None:
    cases = []
    for shape, begins, ends in PADS:
        for dtype, zero in ((DType.I8, 0), (DType.I8, -128), (DType.I16, 7), (DType.F32, 0)):
            cases.append(one_input(Pad(begins, ends, value), shape, dtype, zero))
    check_thinned(cases, 2)


def test_resize() -> None:
    shapes = ((1, 1, 1, 1), (2, 3, 4, 5), (1, 7, 2, 8))
    factors = ((1, 2), (2, 1), (2, 2), (3, 5))
    check([one_input(Resize(f), shape, dtype) for shape in shapes for f in factors for dtype in DTYPES])
