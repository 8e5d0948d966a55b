"""Kernels of MaxPool and AveragePool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from one_node import activation, case, check_thinned
from rig import Case, check

from mcucompile.ir import NO_CLIP, Clip, DType, Numerics, Shape
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.window import Window

WINDOWS: tuple[tuple[Window, Shape], ...] = (
    (Window((1, 1)), (1, 1, 1, 1)),
    (Window((2, 2), (2, 2)), (2, 6, 4, 8)),
    (Window((2, 2), (2, 2)), (1, 7, 5, 3)),
    (Window((3, 3), (1, 1), (1, 1, 1, 1)), (1, 5, 6, 5)),
    (Window((3, 3), (2, 2), (0, 0, 1, 1)), (2, 6, 6, 7)),
    (Window((3, 2), (2, 1), (1, 0, 0, 1)), (1, 5, 1, 4)),
    (Window((2, 3), (1, 2), (1, 2, 1, 2), (2, 3)), (2, 5, 9, 2)),
    (Window((1, 4), (1, 3), (0, 2, 0, 2)), (1, 1, 11, 17)),
    (Window((5, 7)), (2, 5, 7, 33)),
    (Window((8, 8), (8, 8)), (1, 8, 8, 20)),
)
TYPES = ((DType.I8, 0), (DType.I8, -128), (DType.I8, 127), (DType.I16, 300), (DType.F32, 0))
CLIPS = (NO_CLIP, Clip(0.0, 3.0))


def max_cases() -> Iterator[Case]:
    for window, shape in WINDOWS:
        for dtype, zero in TYPES:
            for clip in CLIPS:
                op, x = MaxPool(window, clip), activation("x", shape, dtype, zero)
                y = activation("y", op.infer(shape)[0], dtype, zero)
                yield case(f"max {window} {shape} {dtype.value} {zero} {clip}", op, [x], [y])


def test_max_pool() -> None:
    check_thinned(list(max_cases()), 3)


def average_case(
    window: Window, shape: Shape, dtype: DType, zero: int, clip: Clip, counts_padding: bool, numerics: Numerics,
    rescales: bool,
) -> Case:  # fmt: skip
    op, x = AveragePool(window, counts_padding, clip=clip), activation("x", shape, dtype, zero)
    scale = 0.031 * (0.01 if dtype is DType.I16 else 1) if rescales else None
    y = activation("y", op.infer(shape)[0], dtype, 5 if rescales else zero, scale)
    name = f"average {window} {shape} {dtype.value} {zero} {clip} {counts_padding} {numerics.value} {rescales}"
    return case(name, op, [x], [y], numerics)


@pytest.mark.parametrize("numerics", Numerics)
def test_average_pool_of_integers(numerics: Numerics) -> None:
    cases = []
    for window, shape in WINDOWS:
        for dtype, zero in TYPES[:-1]:
            for clip in CLIPS:
                cases.append(average_case(window, shape, dtype, zero, clip, False, numerics, False))
            for counts_padding in (False, True):
                cases.append(average_case(window, shape, dtype, zero, NO_CLIP, counts_padding, numerics, True))
    check_thinned(cases, 5)


def test_average_pool_of_reals() -> None:
    """Only the order of the additions differs from numpy's: within a unit of float32 per tap of the largest value."""
    cases = []
    for window, shape in WINDOWS:
        for counts_padding in (False, True):
            op, x = AveragePool(window, counts_padding), activation("x", shape, DType.F32)
            y = activation("y", op.infer(shape)[0], DType.F32)
            bound = np.full(y.shape, window.taps * 16.0 * np.finfo(np.float32).eps)
            name = f"average {window} {shape} {counts_padding}"
            cases.append(case(name, op, [x], [y], tolerance=lambda _, bound=bound: {"y": bound}))
    check(cases)
