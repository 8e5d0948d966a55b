"""Sign: what ONNX Runtime says, and the two conventions at zero that it does not have."""

from __future__ import annotations

import numpy as np
import pytest
from integer_case import every_value, fixed_node, stored_tensor
from onnx_case import check, floats, oracle

from mcucompile.frontend.export import to_onnx
from mcucompile.ir import DType, Graph, Node, QuantParams, Tensor
from mcucompile.ops import Sign

X = np.asarray([-np.inf, -2.0, -1e-40, -0.0, 0.0, 1e-40, 3.0, np.inf], np.float32)


def test_sign_is_onnx_runtimes() -> None:
    check("Sign", [floats(2, 3, 5)])
    check("Sign", [X])


@pytest.mark.parametrize("at_zero", [-1, 0, 1])
def test_convention_at_zero(at_zero: int) -> None:
    (y,) = Sign(at_zero).reference(X)
    assert y.tolist() == [-1, -1, -1, at_zero, at_zero, 1, 1, 1]


@pytest.mark.parametrize("at_zero", [-1, 1])
def test_convention_at_zero_as_onnx(at_zero: int) -> None:
    x, y = Tensor("x", X.shape), Tensor("y", X.shape)
    written = to_onnx(Graph("one", [x], [y], [Node(Sign(at_zero), [x], [y], ("sign",))]))
    (got,) = oracle(written, {"x": X})
    assert got.tolist() == Sign(at_zero).reference(X)[0].tolist()


@pytest.mark.parametrize("dtype", [DType.I8, DType.U8, DType.I16])
@pytest.mark.parametrize("at_zero", [-1, 0, 1])
def test_stored_integers(dtype: DType, at_zero: int) -> None:
    q = every_value(dtype)
    x = stored_tensor("x", q.shape, 0.1, 5, dtype)
    y = stored_tensor("y", q.shape, 1.0, 7, dtype)
    (got,) = fixed_node(Sign(at_zero), [x], [y]).op.reference_int(Node(Sign(at_zero), [x], [y]), q)
    assert got[q < 5].tolist() == [6] * int((q < 5).sum())
    assert got[q > 5].tolist() == [8] * int((q > 5).sum())
    assert got[q == 5].tolist() == [7 + at_zero]


def test_quantization_is_exact() -> None:
    """Post-training quantization stores -1, 0 and 1 themselves."""
    assert Sign().fixed_quant(DType.I8) == QuantParams.per_tensor(1.0)
