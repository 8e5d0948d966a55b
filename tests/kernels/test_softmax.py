"""Kernels of Softmax and LogSoftmax."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import activation, case, check_thinned
from rig import Case

from mcucompile.ir import Array, DType, Numerics, Op
from mcucompile.ops.log_softmax import LogSoftmax
from mcucompile.ops.softmax import Softmax

SHAPES = ((1,), (10,), (2, 7), (3, 1, 2, 5), (1, 300), (40, 3))
INPUTS = (
    (DType.I8, 0.1, 0),
    (DType.I8, 0.02, -128),
    (DType.I8, 1.0, 127),
    (DType.I16, 0.0005, 0),
    (DType.I16, 0.00002, 300),
)
OUTPUTS = ((DType.I8, 1 / 256, -128), (DType.I8, 0.05, 127), (DType.I16, 1 / 32768, 0), (DType.I16, 0.001, 5))


@pytest.mark.parametrize("op", [Softmax(), LogSoftmax()], ids=["softmax", "log_softmax"])
def test_integers(op: Op) -> None:
    cases = []
    for shape in SHAPES:
        for x_type, x_scale, x_zero in INPUTS:
            for y_type, y_scale, y_zero in OUTPUTS:
                for numerics in Numerics:
                    x = activation("x", shape, x_type, x_zero, x_scale)
                    y = activation("y", shape, y_type, y_zero, y_scale)
                    cases.append(case(f"{op.name} {shape} {x!r} {y!r} {numerics.value}", op, [x], [y], numerics))
    check_thinned(cases, 7)


def test_tflite_numerics() -> None:
    """Rows so long that the last shift exceeds 31, equal values, and one value far above the others."""
    rng = np.random.default_rng(1)
    rows = [np.full((1, 5000), 3), rng.integers(-128, 128, (1, 5000)), np.where(np.arange(5000) == 77, 127, -128)[None]]
    cases = []
    for scale in (0.05, 0.5, 2.0):
        x = activation("x", (1, 5000), DType.I8, 0, scale)
        y = activation("y", (1, 5000), DType.I8, -128, 1 / 256)
        samples = [{"x": row.astype(np.int8)} for row in rows]
        cases.append(case(f"softmax 5000 {scale}", Softmax(), [x], [y], Numerics.TFLITE, samples))
    check_thinned(cases, 2)


def real_case(op: Op, shape: tuple[int, ...], spread: float) -> Case:
    """Within 4 units in the last place plus 2 per hundred summands: numpy adds in pairs."""
    x, y = activation("x", shape, DType.F32), activation("y", shape, DType.F32)
    values = np.random.default_rng(0).normal(0, spread, shape).astype(np.float32)

    def bound(sample: dict[str, Array]) -> dict[str, Array]:
        (want,) = op.reference(sample["x"])
        size = np.maximum(np.abs(want), 1.0) if isinstance(op, LogSoftmax) else np.abs(want)
        return {"y": np.spacing(size.astype(np.float32)).astype(np.float64) * (8 + shape[-1] / 20)}

    return case(f"{op.name} {shape} {spread}", op, [x], [y], samples=[{"x": values}], tolerance=bound)


def test_reals() -> None:
    cases = [real_case(op, s, spread) for op in (Softmax(), LogSoftmax()) for s in SHAPES for spread in (1.0, 30.0)]
    check_thinned(cases, 3)
