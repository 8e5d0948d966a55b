"""Binary operators against the sums of products, comparisons and maxima that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_case import oracle

from mcucompile.frontend.export import to_onnx
from mcucompile.ir import Array, DType, Graph, Node, QuantParams, Tensor, constant, verify
from mcucompile.ops import BinaryConv2d, BinaryMaxPool, MaxPool, PackSigns
from mcucompile.ops.bits import pack, packed_shape, unpack, words
from mcucompile.ops.window import Window
from mcucompile.reference import evaluate

WINDOW = Window((3, 2), (2, 1), (1, 0, 2, 1), (1, 2))


def signs(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).choice(np.asarray([-1, 1], np.int8), shape)


def sum_by_loops(x: Array, w: Array, window: Window, fill: int) -> Array:
    """The sum of every output, place by place."""
    n, h, wide, _ = x.shape
    oh, ow = window.output_size(h, wide)
    result = np.zeros((n, oh, ow, len(w)), np.int64)
    for i, j in np.ndindex(oh, ow):
        for ky, kx in np.ndindex(*window.kernel):
            row = i * window.strides[0] + ky * window.dilations[0] - window.pads[0]
            column = j * window.strides[1] + kx * window.dilations[1] - window.pads[1]
            inside = 0 <= row < h and 0 <= column < wide
            values = x[:, row, column].astype(np.int64) if inside else np.full((n, x.shape[-1]), fill)
            result[:, i, j] += values @ w[:, ky, kx].astype(np.int64).T
    return result


def layer(fill: int, packs: bool, dtype: DType, seed: int = 0) -> tuple[Graph, Array, Array]:
    """A graph of one layer with thresholds, its weights, and the thresholds."""
    rng = np.random.default_rng(seed)
    w = signs(5, 3, 2, 35, seed=seed)
    thresholds = rng.integers(-20, 20, 5)
    op = BinaryConv2d(WINDOW, fill, tuple(map(int, thresholds)), packs)
    shape = (2, 6, 5, words(35) if dtype is DType.U32 else 35)
    quant = QuantParams.per_tensor(1.0) if dtype is DType.I8 else None
    x = Tensor("x", shape, dtype, quant)
    weight = constant("w", w, QuantParams.per_tensor(1.0))
    (out,) = op.infer(shape, w.shape)
    y = Tensor("y", out, DType.U32 if packs else dtype, None if packs else quant)
    graph = Graph("one", [x], [y], [Node(op, [x, weight], [y], ("binary",))])
    verify(graph)
    return graph, w, thresholds


@pytest.mark.parametrize("fill", [0, 1, -1])
@pytest.mark.parametrize(
    ("dtype", "packs"),
    [(DType.F32, False), (DType.F32, True), (DType.I8, False), (DType.I8, True), (DType.U32, True)],
)
def test_thresholds_are_compared_with_sums_of_products(fill: int, dtype: DType, packs: bool) -> None:
    graph, w, thresholds = layer(fill, packs, dtype)
    x = signs(2, 6, 5, 35, seed=1)
    wanted = sum_by_loops(x, w, WINDOW, fill) >= thresholds
    stored = pack(x > 0) if dtype is DType.U32 else x.astype(dtype.numpy)
    got = evaluate(graph, {"x": stored})["y"]
    np.testing.assert_array_equal(unpack(got, 5) > 0 if packs else got > 0, wanted)
    assert packs or set(np.unique(got)) == {-1, 1}


@pytest.mark.parametrize("fill", [0, 1, -1])
def test_layer_as_onnx_is_the_same_layer(fill: int) -> None:
    graph, _, _ = layer(fill, False, DType.F32)
    x = signs(2, 6, 5, 35, seed=2).astype(np.float32)
    (got,) = oracle(to_onnx(graph), {"x": x})
    np.testing.assert_array_equal(got, evaluate(graph, {"x": x})["y"])


@pytest.mark.parametrize("channels", [1, 3, 31, 32, 33, 64, 70])
def test_packing_keeps_every_sign(channels: int) -> None:
    x = signs(2, 3, channels)
    packed = pack(x > 0)
    assert packed.shape == packed_shape(x.shape)
    assert packed.dtype == np.uint32
    np.testing.assert_array_equal(unpack(packed, channels), x)
    assert int(np.bitwise_count(packed).sum()) == int((x > 0).sum()), "bits beyond the channels are 0"


def test_first_channel_is_the_lowest_bit() -> None:
    x = np.full((1, 40), -1)
    x[0, [0, 5, 33]] = 1
    assert pack(x > 0).tolist() == [[(1 << 0) + (1 << 5), 1 << 1]]


@pytest.mark.parametrize(("positive", "wanted"), [(True, 0b11100), (False, 0b10000)])
def test_pack_signs_at_zero(positive: bool, wanted: int) -> None:
    x = np.asarray([[-1.0, -1e-30, 0.0, -0.0, 2.0]], np.float32)
    assert PackSigns(positive).reference(x)[0].tolist() == [[wanted]]


def test_largest_of_packed_signs_is_that_of_signs() -> None:
    window, x = Window((2, 3), (2, 1), (1, 1, 0, 1)), signs(2, 5, 6, 37)
    (got,) = BinaryMaxPool(window).reference(pack(x > 0))
    (wanted,) = MaxPool(window).reference(x)
    np.testing.assert_array_equal(unpack(got, 37), wanted)


def test_multiplications_are_counted_as_those_of_numbers() -> None:
    (node,) = layer(0, True, DType.U32)[0].nodes
    oh, ow = WINDOW.output_size(6, 5)
    assert node.op.macs(node) == 2 * oh * ow * 5 * 3 * 2 * 35
