"""MaxPool, AveragePool, ReduceMean: windows and borders as ONNX Runtime sees them, integers within a rounding."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_case import fixed_node, random_stored, stored_tensor, worst_error
from onnx_case import check, floats, ints, model, only

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Clip, DType, Numerics
from mcucompile.ops import AveragePool, MaxPool, ReduceMean, Reshape
from mcucompile.ops.window import Window

TIE = 2.0**-12
PADS = [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 2)]


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_max_pool_is_onnx_runtimes(pads: tuple[int, ...], ceil_mode: int, strides: tuple[int, int]) -> None:
    graph = check("MaxPool", [floats(2, 3, 8, 9)], kernel_shape=(3, 3), pads=pads, strides=strides, ceil_mode=ceil_mode)
    assert only(graph, MaxPool).window.kernel == (3, 3)


def test_max_pool_of_a_line_dilated_and_same() -> None:
    check("MaxPool", [floats(1, 2, 11)], kernel_shape=(3,), strides=(2,))
    check("MaxPool", [floats(1, 2, 11, 9)], kernel_shape=(2, 3), dilations=(2, 1))
    check("MaxPool", [floats(1, 2, 11, 9)], kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_UPPER")
    check("MaxPool", [floats(1, 2, 11, 9)], kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_LOWER")


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize(("kernel", "strides"), [((3, 3), (2, 2)), ((2, 3), (3, 2)), ((3, 4), (1, 1))])
def test_average_pool_is_onnx_runtimes(
    pads: tuple[int, ...], ceil_mode: int, count_include_pad: int, kernel: tuple[int, int], strides: tuple[int, int]
) -> None:
    check(
        "AveragePool", [floats(2, 3, 8, 9)], kernel_shape=kernel, pads=pads, strides=strides,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
    )  # fmt: skip


def test_average_pool_of_a_line_dilated_and_same() -> None:
    check("AveragePool", [floats(1, 2, 11)], kernel_shape=(3,), strides=(2,), pads=(1, 1))
    check("AveragePool", [floats(1, 2, 11, 9)], kernel_shape=(2, 3), dilations=(2, 1), pads=(1, 1, 1, 1))
    check("AveragePool", [floats(1, 2, 11, 9)], kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_UPPER")


def test_global_pools() -> None:
    assert only(check("GlobalAveragePool", [floats(2, 3, 5, 4)]), ReduceMean).axes == (1, 2)
    assert only(check("GlobalMaxPool", [floats(2, 3, 5, 4)]), MaxPool).window.kernel == (5, 4)
    check("GlobalAveragePool", [floats(2, 3, 7)])
    check("GlobalMaxPool", [floats(2, 3, 7)])


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [(2, 3), (1,), (-1,), (0, 2), (3, 1), ()])
def test_reduce_mean_is_onnx_runtimes(axes: tuple[int, ...], keepdims: int) -> None:
    operands = [floats(2, 3, 5, 4), ints(*axes)] if axes else [floats(2, 3, 5, 4)]
    check("ReduceMean", operands, keepdims=keepdims)
    attributes = {"axes": axes} if axes else {}
    check("ReduceMean", [floats(2, 3, 5, 4)], opset=13, keepdims=keepdims, **attributes)


def test_reduce_mean_over_nothing_is_the_input() -> None:
    graph = check("ReduceMean", [floats(2, 3)], noop_with_empty_axes=1)
    assert not [n for n in graph.nodes if isinstance(n.op, ReduceMean)]


def test_spatial_mean_without_axes_left_needs_no_transpose_back() -> None:
    graph = check("ReduceMean", [floats(1, 3, 5, 4), ints(2, 3)], keepdims=0)
    assert isinstance(graph.nodes[-1].op, Reshape)


@pytest.mark.parametrize(
    ("op_type", "shape", "attributes"),
    [
        ("MaxPool", (1, 2, 4, 4, 4), {"kernel_shape": (2, 2, 2)}),
        ("AveragePool", (1, 2, 4, 4, 4), {"kernel_shape": (2, 2, 2)}),
        ("MaxPool", (1, 2, 4, 4), {"kernel_shape": (5, 5)}),
        ("AveragePool", (1, 1, 4, 4), {"kernel_shape": (1, 1), "pads": (1, 1, 1, 1)}),
    ],
)
def test_what_cannot_be_pooled_is_named(op_type: str, shape: tuple[int, ...], attributes: dict[str, object]) -> None:
    with pytest.raises(CompileError) as error:
        load(model(op_type, [floats(*shape)], **attributes))
    assert error.value.code == "E0103"


def test_indices_are_unsupported() -> None:
    with pytest.raises(CompileError, match="not") as error:
        load(model("MaxPool", [floats(1, 1, 4, 4)], outputs=2, kernel_shape=(2, 2)))
    assert error.value.code == "E0103"


# --- integers


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    include=st.booleans(),
    ratio=st.floats(0.3, 3),
    zeros=st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
    wide=st.booleans(),
)
def test_average_pool_rounds_the_real_mean(
    kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, ...], include: bool, ratio: float,
    zeros: tuple[int, int], wide: bool,
) -> None:  # fmt: skip
    dtype, zeros = (DType.I16, (0, 0)) if wide else (DType.I8, zeros)
    top, left, bottom, right = (min(p, kernel[i % 2] - 1) for i, p in enumerate(pads))
    op = AveragePool(Window(kernel, strides, (top, left, bottom, right)), include)
    x = stored_tensor("x", (1, 6, 5, 3), 0.05, zeros[0], dtype)
    y = stored_tensor("y", op.infer(x.shape)[0], 0.05 * ratio, zeros[1], dtype)
    assert worst_error(fixed_node(op, [x], [y]), random_stored(x)) <= 0.5 + (256 if wide else 1) * TIE


def test_average_pool_of_equal_scales_by_hand() -> None:
    """Sum 2 of 4 taps is a tie: it goes up, -2 of 4 goes up too; under TFLite the raw sums go away from zero."""
    x, y = (stored_tensor(n, (1, 2, 2, 1), 0.1, 1) for n in "xy")
    y.shape = (1, 1, 1, 1)
    up = np.asarray([1, 1, 1, 3], np.int8).reshape(1, 2, 2, 1)  # centred 0 0 0 2 -> 0.5 -> 1 -> stored 2
    down = np.asarray([1, 1, 1, -1], np.int8).reshape(1, 2, 2, 1)  # centred -0.5 -> 0 -> stored 1
    node = fixed_node(AveragePool(Window((2, 2))), [x], [y])
    assert [node.op.reference_int(node, v)[0].item() for v in (up, down)] == [2, 1]
    node = fixed_node(AveragePool(Window((2, 2))), [x], [y], Numerics.TFLITE)
    negative = np.asarray([-1, -1, -1, -3], np.int8).reshape(1, 2, 2, 1)  # raw -6 / 4 -> -2
    assert [node.op.reference_int(node, v)[0].item() for v in (up, down, negative)] == [2, 1, -2]


def test_divisors_of_a_border() -> None:
    op = AveragePool(Window((3, 3), (1, 1), (1, 1, 1, 1)))
    x, y = stored_tensor("x", (1, 3, 4, 1), 0.1), stored_tensor("y", (1, 3, 4, 1), 0.1)
    fixed = fixed_node(op, [x], [y]).op
    assert isinstance(fixed, AveragePool)
    assert fixed.divisors == (4, 6, 9)
    assert fixed.divisor_index(3, 4).tolist() == [[0, 1, 1, 0], [1, 2, 2, 1], [0, 1, 1, 0]]


@pytest.mark.parametrize("dtype", [DType.I8, DType.U8, DType.I16])
def test_max_pool_takes_the_largest_stored_value_and_clips(dtype: DType) -> None:
    op = MaxPool(Window((2, 2), (1, 1), (1, 1, 0, 0)), Clip(0.0, 1.0))
    x, y = stored_tensor("x", (1, 2, 2, 1), 0.1, 0, dtype), stored_tensor("y", (1, 2, 2, 1), 0.1, 0, dtype)
    node = fixed_node(op, [x], [y])
    stored = np.asarray([[dtype.low, 3], [4, 20]]).astype(dtype.numpy).reshape(1, 2, 2, 1)
    assert node.op.reference_int(node, stored)[0].ravel().tolist() == [max(dtype.low, 0), 3, 4, 10]


@settings(max_examples=30, deadline=None)
@given(
    axes=st.sets(st.integers(0, 3), min_size=1).map(lambda s: tuple(sorted(s))),
    keepdims=st.booleans(),
    ratio=st.floats(0.1, 2),
    wide=st.booleans(),
)
def test_reduce_mean_rounds_the_real_mean(axes: tuple[int, ...], keepdims: bool, ratio: float, wide: bool) -> None:
    dtype = DType.I16 if wide else DType.I8
    op = ReduceMean(axes, keepdims)
    x = stored_tensor("x", (2, 4, 3, 5), 0.05, 0 if wide else -7, dtype)
    y = stored_tensor("y", op.infer(x.shape)[0], 0.05 * ratio, 0 if wide else 11, dtype)
    assert worst_error(fixed_node(op, [x], [y]), random_stored(x)) <= 0.5 + (256 if wide else 1) * TIE


def test_reduce_mean_bounds_its_sum() -> None:
    x, y = stored_tensor("x", (1, 5000, 5000, 1), 0.1), stored_tensor("y", (1, 1, 1, 1), 0.1)
    with pytest.raises(CompileError) as error:
        fixed_node(ReduceMean((1, 2)), [x], [y])
    assert error.value.code == "E0203"


def test_window_counts_by_brute_force() -> None:
    for kernel, stride, pad, dilation in itertools.product((1, 2, 3), (1, 2), (0, 1), (1, 2)):
        if pad >= (kernel - 1) * dilation + 1 or (kernel - 1) * dilation + 1 > 5 + pad:
            continue
        op = AveragePool(Window((kernel, 1), (stride, 1), (pad, 0, 0, 0), (dilation, 1)))
        expected = [
            sum(0 <= i * stride - pad + k * dilation < 5 for k in range(kernel))
            for i in range((5 + pad - (kernel - 1) * dilation - 1) // stride + 1)
        ]
        assert op.counts(5, 1).ravel().tolist() == expected
