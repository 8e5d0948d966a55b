"""Integer nodes get fixed-point constants that follow the graph's numerics; real-valued nodes get none."""

from __future__ import annotations

import numpy as np
import pytest

from mcucompile.ir import DType, Graph, Node, Numerics, QuantParams, Rounding, Tensor, constant
from mcucompile.ops import Dense
from mcucompile.passes.fix_multipliers import FixMultipliers


def dense(dtype: DType, numerics: Numerics) -> Graph:
    is_integer = dtype is DType.I8
    x = Tensor("x", (1, 2), dtype, QuantParams.per_tensor(0.5) if is_integer else None)
    y = Tensor("y", (1, 1), dtype, QuantParams.per_tensor(2.0) if is_integer else None)
    w = constant("w", np.ones((1, 2), dtype.numpy), QuantParams((0.25,), 0, DType.I8, 0) if is_integer else None)
    b = constant("b", np.zeros(1, np.int32 if is_integer else np.float32))
    return Graph("net", [x], [y], [Node(Dense(), [x, w, b], [y])], numerics)


@pytest.mark.parametrize(
    ("numerics", "rounding"), [(Numerics.ONNX, Rounding.HALF_UP), (Numerics.TFLITE, Rounding.GEMMLOWP)]
)
def test_integer_node(numerics: Numerics, rounding: Rounding) -> None:
    g = dense(DType.I8, numerics)
    assert FixMultipliers().run(g) == 1
    op = g.nodes[0].op
    assert isinstance(op, Dense)
    assert op.requant is not None
    assert op.requant.rounding is rounding
    # 0.5 * 0.25 / 2.0 = 2^-4 = 2^30 / 2^34
    assert (op.requant.multipliers, op.requant.shifts) == ((1 << 30,), (34,))


def test_real_valued_node() -> None:
    g = dense(DType.F32, Numerics.ONNX)
    assert FixMultipliers().run(g) == 0
    assert g.nodes[0].op == Dense()
