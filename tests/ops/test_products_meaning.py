"""Conv, depthwise Conv, Gemm, MatMul, BatchNormalization: meaning as ONNX Runtime's, integers within a rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_case import fixed_node, random_stored, stored_tensor, worst_error
from onnx_case import check, const, floats, model, only

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Array, Clip, DType, Node, Op, QuantParams, Tensor, constant
from mcucompile.ops import Affine, Conv2d, Dense, DepthwiseConv2d, Dequantize, MatMul, Quantize
from mcucompile.ops.window import Window


@pytest.mark.parametrize(
    ("weight", "attributes"),
    [
        ((4, 3, 3, 3), {"pads": (1, 1, 1, 1)}),
        ((4, 3, 3, 2), {"strides": (2, 1), "pads": (0, 1, 1, 0), "dilations": (1, 2)}),
        ((4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": (2, 2)}),
        ((4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": (2, 2)}),
        ((4, 3, 1, 1), {"auto_pad": "VALID"}),
    ],
)
def test_conv_is_onnx_runtimes(weight: tuple[int, ...], attributes: dict[str, Any]) -> None:
    operands = [floats(2, 3, 8, 9), const(floats(*weight, seed=1, spread=0.3)), const(floats(weight[0], seed=2))]
    assert only(check("Conv", operands, **attributes), Conv2d)
    check("Conv", operands[:2], **attributes)


def test_grouped_depthwise_and_one_dimensional_conv() -> None:
    x = floats(1, 4, 7, 6)
    assert only(check("Conv", [x, const(floats(6, 2, 3, 3, seed=1, spread=0.3))], group=2), Conv2d).groups == 2
    assert only(check("Conv", [x, const(floats(8, 1, 3, 3, seed=1))], group=4, pads=(1, 1, 1, 1)), DepthwiseConv2d)
    assert only(check("Conv", [floats(2, 3, 20), const(floats(4, 3, 5, seed=1, spread=0.3))], strides=(2,)), Conv2d)
    assert only(check("Conv", [floats(2, 3, 20), const(floats(3, 1, 5, seed=1))], group=3), DepthwiseConv2d)


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [(5,), (1,), (), (1, 5)])
def test_gemm_is_onnx_runtimes(trans_b: int, bias: tuple[int, ...]) -> None:
    w = floats(5, 7, seed=1) if trans_b else floats(7, 5, seed=1)
    check("Gemm", [floats(2, 7), const(w), const(floats(*bias, seed=2))], transB=trans_b, alpha=0.5, beta=2.0)
    check("Gemm", [floats(2, 7), const(w)], transB=trans_b)


MATRICES = [
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (1, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((3, 4), (2, 4, 5)),
    ((4,), (4, 5)),
    ((2, 4), (4,)),
    ((4,), (4,)),
    ((4,), (2, 4, 5)),
    ((2, 3, 4), (4,)),
]


@pytest.mark.parametrize("shapes", MATRICES)
@pytest.mark.parametrize("constant_side", [None, 0, 1])
def test_matmul_is_onnx_runtimes(shapes: tuple[tuple[int, ...], ...], constant_side: int | None) -> None:
    operands: list[Any] = [floats(*s, seed=i, spread=1.0) for i, s in enumerate(shapes)]
    if constant_side is not None:
        operands[constant_side] = const(operands[constant_side])
    check("MatMul", operands)


def test_a_constant_matrix_makes_a_dense() -> None:
    assert only(check("MatMul", [floats(2, 3, 4), const(floats(4, 5))]), Dense)
    assert only(check("MatMul", [const(floats(6, 3)), floats(2, 3, 4)]), Dense)
    assert only(check("MatMul", [floats(2, 3, 4), floats(2, 4, 5)]), MatMul)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 5)])
def test_batch_normalization_is_onnx_runtimes(shape: tuple[int, ...]) -> None:
    parameters = [const(floats(3, seed=i)) for i in range(1, 4)]
    graph = check("BatchNormalization", [floats(*shape), *parameters, const([0.5, 1.0, 2.0])], epsilon=1e-3)
    assert only(graph, Affine)


def test_batch_normalization_that_trains_is_unsupported() -> None:
    operands = [floats(2, 3), *[const([1.0, 2.0, 3.0])] * 4]
    with pytest.raises(CompileError) as error:
        load(model("BatchNormalization", operands, outputs=3, training_mode=1))
    assert error.value.code == "E0103"


# --- integers


def weighted(op: Op, x: Tensor, weights: Array, channel_axis: int, y_scale: float, y_zero: int) -> Node:
    """A layer with a scale per output channel and a random bias."""
    channels = weights.shape[channel_axis]
    rng = np.random.default_rng(7)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.001, 0.03, channels))
    assert x.quant
    w = constant("w", weights, QuantParams(scales, 0, DType.I8, channel_axis))
    products = tuple(float(np.float32(s * x.quant.scale)) for s in scales)
    bias = constant("b", rng.integers(-2000, 2000, channels).astype(np.int32), QuantParams(products, 0, DType.I32, 0))
    shape = op.infer(x.shape, w.shape, bias.shape)[0]
    return fixed_node(op, [x, w, bias], [stored_tensor("y", shape, y_scale, y_zero, x.dtype)])


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["conv", "depthwise", "dense"]),
    channels=st.integers(1, 6),
    outputs=st.integers(1, 5),
    wide=st.booleans(),
    scale=st.floats(0.02, 0.5),
    seed=st.integers(0, 99),
)
def test_layers_round_the_real_sum(kind: str, channels: int, outputs: int, wide: bool, scale: float, seed: int) -> None:
    dtype = DType.I16 if wide else DType.I8
    rng = np.random.default_rng(seed)
    zero = 0 if wide else int(rng.integers(-128, 128))
    window = Window((3, 2), (2, 1), (1, 0, 1, 1))
    image = stored_tensor("x", (1, 6, 5, channels), 0.1 / (256 if wide else 1), zero, dtype)
    if kind == "conv":
        op, x, shape, axis = Conv2d(window), image, (outputs, 3, 2, channels), 0
    elif kind == "depthwise":
        op, x, shape, axis = DepthwiseConv2d(window), image, (3, 2, channels * 2), 2
    else:
        op, x, shape, axis = Dense(), image, (outputs, channels), 0
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    node = weighted(op, x, weights, axis, scale / (256 if wide else 1), 0 if wide else 3)
    w, b = (t.const for t in node.inputs[1:])
    assert w is not None and b is not None
    stored = random_stored(x, seed)
    assert worst_error_of_layer(node, stored) <= 0.5 + 2.0**-12 * (256 if wide else 1)


def worst_error_of_layer(node: Node, stored: Array) -> float:
    """Against the real sum, channel by channel: per-channel scales do not broadcast along a last axis by themselves."""
    x, w, b = node.inputs
    y = node.output
    assert x.quant and w.quant and b.quant and y.quant and w.const is not None and b.const is not None
    centred = stored.astype(np.float64) - x.quant.zero
    sums = node.op.reference(centred, w.const.astype(np.float64), b.const.astype(np.float64))[0]
    exact = sums * (x.quant.scale * np.asarray(w.quant.scales)) / y.quant.scale + y.quant.zero
    got = node.op.reference_int(node, stored, w.const, b.const)[0]
    return float(np.abs(got - np.clip(exact, y.dtype.low, y.dtype.high)).max())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_matmul_of_activations_rounds_the_real_sum(inner: int, wide: bool, seed: int) -> None:
    dtype, k = (DType.I16, 256) if wide else (DType.I8, 1)
    zeros = (0, 0, 0) if wide else (3, -100, 7)
    a = stored_tensor("a", (2, 3, inner), 0.02 / k, zeros[0], dtype)
    b = stored_tensor("b", (2, inner, 4), 0.03 / k, zeros[1], dtype)
    node = fixed_node(MatMul(), [a, b], [stored_tensor("y", (2, 3, 4), 0.3 / k, zeros[2], dtype)])
    assert worst_error(node, random_stored(a, seed), random_stored(b, seed + 1)) <= 0.5 + 2.0**-12 * k


def test_matmul_counts_its_products() -> None:
    a, b = stored_tensor("a", (2, 3, 5), 0.1), stored_tensor("b", (2, 5, 4), 0.1)
    node = fixed_node(MatMul(clip=Clip(0.0)), [a, b], [stored_tensor("y", (2, 3, 4), 1.0)])
    assert node.op.macs(node) == 2 * 3 * 4 * 5
    assert node.op.reference_int(node, random_stored(a), random_stored(b))[0].min() == 0


def test_quantize_and_dequantize_are_onnx_runtimes() -> None:
    x, y = Tensor("x", (5,)), stored_tensor("y", (5,), 0.5, 1)
    node = fixed_node(Quantize(), [x], [y])
    assert node.op.reference_int(node, np.asarray([0.25, 0.75, -0.25, 1e9, -1e9], np.float32))[0].tolist() == [
        1, 3, 1, 127, -128,
    ]  # fmt: skip
    back = fixed_node(Dequantize(), [y], [Tensor("z", (5,))])
    assert back.op.reference_int(back, np.asarray([1, 2, -1, 127, -128], np.int8))[0].tolist() == [
        0.0, 0.5, -1.0, 63.0, -64.5,
    ]  # fmt: skip
