"""Softmax and LogSoftmax: any axis as ONNX Runtime does it, integers within their stated bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_case import fixed_node, random_stored, real, stored_tensor, worst_error
from onnx_case import check, floats, model

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Array, DType, Node, Tensor
from mcucompile.ops import LogSoftmax, Softmax, Transpose
from mcucompile.ops.softmax import Reciprocal

ROUND = 2.0**-20  # float64's own error in the formula


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [None, -1, 3, 1, 0, -2])
def test_any_axis_is_onnx_runtimes(op_type: str, axis: int | None) -> None:
    check(op_type, [floats(2, 3, 4, 5, spread=4.0)], **({} if axis is None else {"axis": axis}))


def test_last_axis_needs_no_transpose() -> None:
    graph = check("Softmax", [floats(2, 3)], axis=1)
    assert not [n for n in graph.nodes if isinstance(n.op, Transpose)]


def test_large_arguments_do_not_overflow() -> None:
    check("Softmax", [np.asarray([[1e4, 0, -1e4], [3e38, 0, -3e38]], np.float32)])


def test_an_axis_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(CompileError) as error:
        load(model("Softmax", [floats(2, 3)], axis=2))
    assert error.value.code in ("E0102", "E0103", "E0107")


# --- integers


def rows(x: Tensor, seed: int) -> Array:
    """Random rows, with one that is constant and one whose largest value stands alone."""
    values = random_stored(x, seed)
    values[0] = values[0, 0]
    values[1] = x.dtype.low
    values[1, -1] = x.dtype.high
    return values


def softmax_node(n: int, scale: float, dtype: DType = DType.I8, y_dtype: DType = DType.I8) -> Node:
    x = stored_tensor("x", (30, n), scale, 0 if dtype is DType.I16 else 5, dtype)
    y = stored_tensor("y", (30, n), 1 / 256, -128) if y_dtype is DType.I8 else None
    return fixed_node(Softmax(), [x], [y or stored_tensor("y", (30, n), 1 / 32768, 0, DType.I16)])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1500), st.floats(-3, 0.3).map(lambda e: 10.0**e), st.integers(0, 99))
def test_8_bit_softmax_keeps_its_bound(n: int, scale: float, seed: int) -> None:
    node = softmax_node(n, scale)
    assert isinstance(node.op, Softmax) and node.op.exp
    bound = 0.5 + (n + 1) * (2.0**-node.op.exp.bits + 2.0**-30) * 256
    assert worst_error(node, rows(node.inputs[0], seed)) <= bound + ROUND


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.floats(-5, -2).map(lambda e: 10.0**e), st.integers(0, 99))
def test_16_bit_softmax_keeps_its_bound(n: int, scale: float, seed: int) -> None:
    node = softmax_node(n, scale, DType.I16, DType.I16)
    assert isinstance(node.op, Softmax) and node.op.exp
    bound = 0.5 + (n + 1) * (2.0**-node.op.exp.bits + 2.0**-30) * 32768
    assert worst_error(node, rows(node.inputs[0], seed)) <= bound + ROUND


@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 300])
def test_softmax_before_rounding_is_within_its_bound(n: int, dtype: DType) -> None:
    """What the last shift drops, too: a rounded result alone would hide most of an error."""
    node = softmax_node(n, 0.05 if dtype is DType.I8 else 2e-4, dtype, dtype)
    assert isinstance(node.op, Softmax) and node.op.exp and isinstance(node.op.scaling, Reciprocal)
    x, y = node.inputs[0], node.output
    assert y.quant
    stored = rows(x, n)
    e = node.op.exp.at(stored.max(axis=-1, keepdims=True).astype(np.int64) - stored)
    r = node.op.scaling.dividend // e.sum(axis=-1, keepdims=True)
    found = (e * r) / 2.0**node.op.scaling.shift
    exact = node.op.reference(real(x, stored))[0] / y.quant.scale
    bound = (n + 1) * (2.0**-node.op.exp.bits + 2.0**-30) / y.quant.scale
    assert np.abs(found - exact).max() <= bound


def test_softmax_constants_fit_their_types() -> None:
    for n in (1, 2, 3, 10, 256, 257, 1000, 2000):
        op = softmax_node(n, 0.01).op
        assert isinstance(op, Softmax) and op.exp
        assert len(op.exp.low) == 256 and max(op.exp.low) == 1 << op.exp.bits
        assert n << op.exp.bits < 1 << 32
        assert isinstance(op.scaling, Reciprocal)
        assert op.scaling.dividend >> op.exp.bits < 1 << 32
        assert op.scaling.dividend < 1 << 62


def test_softmax_by_hand() -> None:
    """Two equal values: half of 256 each; one far above the other: 256 saturates to 127."""
    x, y = stored_tensor("x", (2, 2), 1.0), stored_tensor("y", (2, 2), 1 / 256, -128)
    node = fixed_node(Softmax(), [x], [y])
    stored = np.asarray([[5, 5], [100, -100]], np.int8)
    assert node.op.reference_int(node, stored)[0].tolist() == [[0, 0], [127, -128]]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 1000),
    st.floats(-3, 0.3).map(lambda e: 10.0**e),
    st.sampled_from([1 / 16, 1 / 32, 1.0]),
    st.integers(0, 99),
)
def test_8_bit_log_softmax_keeps_its_bound(n: int, scale: float, out_scale: float, seed: int) -> None:
    x, y = stored_tensor("x", (30, n), scale, -3), stored_tensor("y", (30, n), out_scale, 127)
    node = fixed_node(LogSoftmax(), [x], [y])
    assert isinstance(node.op, LogSoftmax) and node.op.exp
    bound = 0.5 + ((n + 1) * 2.0**-node.op.exp.bits + 2.0**-18) / out_scale + 2.0**-8
    assert worst_error(node, rows(x, seed)) <= bound + ROUND


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.floats(-5, -2).map(lambda e: 10.0**e), st.integers(0, 99))
def test_16_bit_log_softmax_keeps_its_bound(n: int, scale: float, seed: int) -> None:
    x = stored_tensor("x", (30, n), scale, 0, DType.I16)
    y = stored_tensor("y", (30, n), 16 / 32768, 0, DType.I16)
    node = fixed_node(LogSoftmax(), [x], [y])
    assert isinstance(node.op, LogSoftmax) and node.op.exp
    bound = 0.5 + ((n + 1) * 2.0**-node.op.exp.bits + 2.0**-18) * 2048 + 2.0**-8
    assert worst_error(node, rows(x, seed)) <= bound + ROUND
