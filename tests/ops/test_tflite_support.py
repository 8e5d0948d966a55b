"""has_tflite_bits says yes exactly for what is compared with TensorFlow Lite Micro."""

from __future__ import annotations

import pytest
from integer_case import fixed_node, stored_tensor

from mcucompile.ir import DType, Numerics, Op
from mcucompile.ops import AveragePool, Div, LogSoftmax, PRelu, Sigmoid, Softmax
from mcucompile.ops.window import Window


def covered(op: Op, dtype: DType = DType.I8, y_scale: float = 0.1, inputs: int = 1) -> bool:
    shape = (1, 4, 4, 2)
    given = [stored_tensor(f"x{i}", shape, 0.1, 0, dtype) for i in range(inputs)]
    y = stored_tensor("y", op.infer(*[shape] * inputs)[0], y_scale, 0, dtype)
    node = fixed_node(op, given, [y], Numerics.TFLITE)
    return node.op.has_tflite_bits(node)


def test_covered() -> None:
    assert covered(Sigmoid())
    assert covered(Softmax())
    assert covered(AveragePool(Window((2, 2))))
    assert covered(AveragePool(Window((2, 2))), DType.I16)


@pytest.mark.parametrize("dtype", [DType.U8, DType.I16])
def test_other_types_of_functions_are_not(dtype: DType) -> None:
    assert not covered(Sigmoid(), dtype)
    assert not covered(Softmax(), dtype)


def test_operators_without_counterpart_are_not() -> None:
    assert not covered(Div(), inputs=2)
    assert not covered(PRelu((0.1, 0.2), 3))
    assert not covered(LogSoftmax())
    assert not covered(AveragePool(Window((2, 2))), y_scale=0.2)
    assert not covered(AveragePool(Window((3, 3), (1, 1), (1, 1, 1, 1)), count_include_pad=True))
