"""Factors and offsets per channel vanish in neighbouring layers, and stay where that would change the result."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from float_graphs import RELU, SAME, FloatGraph

from mcucompile.ir import NO_CLIP, Clip, DType, Graph, Node, QuantParams, Tensor, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.affine import Affine
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dequantize import Dequantize
from mcucompile.ops.mul import Mul
from mcucompile.ops.quantize import Quantize
from mcucompile.ops.sub import Sub
from mcucompile.ops.window import Window
from mcucompile.passes.fold_batchnorm import FoldBatchnorm
from mcucompile.reference import evaluate

VALID = Window((3, 3))


def batchnorm(net: FloatGraph, name: str, x: Tensor) -> Tensor:
    channels = x.shape[-1]
    return net.add(name, Affine(), x, net.values(f"{name}_factor", channels), net.values(f"{name}_offset", channels))


def operators(graph: Graph) -> list[str]:
    return [n.op.name for n in graph.nodes]


def folded(graph: Graph, *, changes: int) -> Graph:
    """The graph after the pass, which must compute the same real values."""
    result = copy.deepcopy(graph)
    assert FoldBatchnorm().run(result) == changes
    verify(result)
    rng = np.random.default_rng(1)
    for _ in range(3):
        x = {t.name: rng.normal(size=t.shape) for t in graph.inputs}
        want, got = evaluate(graph, x), evaluate(result, x)
        for t in graph.outputs:
            assert np.allclose(want[t.name], got[t.name], rtol=1e-4, atol=1e-5)
    return result


@pytest.mark.parametrize("layer", ["conv", "depthwise", "dense"])
def test_after_a_layer(layer: str) -> None:
    net = FloatGraph((1, 6, 6, 4))
    y = getattr(net, layer)("y", net.x, *(() if layer == "depthwise" else (5,)))
    result = folded(net.graph(batchnorm(net, "z", y)), changes=1)
    assert "affine" not in operators(result)
    assert result.nodes[-1].source == ("y", "z")


@pytest.mark.parametrize("op", [Mul(), Add(), Sub()])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 1, 1, 4)])
def test_binary_after_a_layer(op: Mul | Add | Sub, shape: tuple[int, ...]) -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", op, net.conv("y", net.x, 4), net.values("k", *shape))
    assert operators(folded(net.graph(y), changes=1)) == ["conv2d"]


def test_constant_first() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Mul(), net.values("k", 4), net.conv("y", net.x, 4))
    assert operators(folded(net.graph(y), changes=1)) == ["conv2d"]


def test_constant_minus_layer_stays() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Sub(), net.values("k", 4), net.conv("y", net.x, 4))
    folded(net.graph(y), changes=0)


def test_a_factor_per_position_stays() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Mul(), net.conv("y", net.x, 6), net.values("k", 1, 6, 1, 1))
    folded(net.graph(y), changes=0)


def test_a_clip_before_the_factor_stays() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Mul(), net.conv("y", net.x, 4, RELU), net.values("k", 4))
    folded(net.graph(y), changes=0)


def test_a_fused_clip_after_the_factor_stays() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Mul(Clip(0.0)), net.conv("y", net.x, 4), net.values("k", 4))
    folded(net.graph(y), changes=0)


def test_another_reader_keeps_the_layer() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    z = net.add("z", Mul(), y, net.values("k", 4))
    folded(net.graph(y, z), changes=0)


@pytest.mark.parametrize("groups", [1, 2])
def test_before_a_convolution_without_padding(groups: int) -> None:
    net = FloatGraph((1, 6, 6, 4))
    z = batchnorm(net, "z", net.x)
    y = net.add("y", Conv2d(VALID, groups), z, net.values("w", 6, 3, 3, 4 // groups), net.values("b", 6))
    assert operators(folded(net.graph(y), changes=1)) == ["conv2d"]


@pytest.mark.parametrize("layer", ["depthwise", "dense"])
def test_before_another_layer(layer: str) -> None:
    net = FloatGraph((1, 6) if layer == "dense" else (1, 6, 6, 4))
    z = batchnorm(net, "z", net.x)
    y = net.dense("y", z, 5) if layer == "dense" else net.depthwise("y", z, NO_CLIP, VALID)
    assert len(operators(folded(net.graph(y), changes=1))) == 1


def test_two_readers_take_it_both() -> None:
    net = FloatGraph((1, 6, 6, 4))
    z = batchnorm(net, "z", net.x)
    outputs = [net.conv(name, z, 4, NO_CLIP, VALID) for name in ("a", "b")]
    assert operators(folded(net.graph(*outputs), changes=1)) == ["conv2d", "conv2d"]


def test_before_padding_it_becomes_depthwise() -> None:
    net = FloatGraph((1, 6, 6, 4))
    y = net.conv("y", batchnorm(net, "z", net.x), 4, NO_CLIP, SAME)
    assert operators(folded(net.graph(y), changes=1)) == ["depthwise_conv2d", "conv2d"]


@pytest.mark.parametrize("shape", [(1, 5), (1, 7, 5), (1, 3, 3, 5)])
def test_alone_it_becomes_depthwise(shape: tuple[int, ...]) -> None:
    net = FloatGraph(shape)
    result = folded(net.graph(batchnorm(net, "z", net.x)), changes=1)
    assert [name for name in operators(result) if name != "reshape"] == ["depthwise_conv2d"]


def test_shared_weights_are_not_scaled_for_the_other_reader() -> None:
    net = FloatGraph((1, 6, 6, 4))
    w, b = net.values("w", 4, 3, 3, 4), net.values("b", 4)
    first = net.add("first", Conv2d(SAME), net.x, w, b)
    second = net.add("second", Conv2d(SAME), net.x, w, b)
    folded(net.graph(net.add("z", Mul(), first, net.values("k", 4)), second), changes=1)


def test_integers_are_left_alone() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("z", Mul(), net.conv("y", net.x, 4), constant("k", np.asarray([2, 2, 2, 2], np.int32)))
    assert FoldBatchnorm().run(net.graph(y)) == 0


SCALES = tuple(float(np.float32(s)) for s in (0.01, 0.02, 0.03, 0.04))


def with_stored_weights(net: FloatGraph, quant: QuantParams, low: int = -7) -> FloatGraph:
    """The last layer's weights as integers."""
    layer = net.nodes[-1]
    values = net.rng.integers(low, 7, layer.inputs[1].shape, endpoint=True)
    layer.inputs[1] = constant(layer.inputs[1].name, values.astype(np.int8), quant)
    return net


@pytest.mark.parametrize("quant", [QuantParams((0.25,)), QuantParams((0.25,), 2), QuantParams(SCALES, axis=0)])
def test_stored_weights_keep_their_integers_up_to_their_sign(quant: QuantParams) -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    with_stored_weights(net, quant)
    before = net.nodes[-1].inputs[1].const
    z = batchnorm(net, "z", y)
    factor = net.nodes[-1].inputs[1].const
    assert before is not None and factor is not None and np.any(factor < 0)
    weight = folded(net.graph(z), changes=1).nodes[0].inputs[1]
    assert weight.quant is not None and weight.const is not None and weight.dtype is DType.I8
    wanted = (before.astype(int) - quant.zero) * np.sign(factor).astype(int).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(weight.const, wanted)
    np.testing.assert_allclose(weight.quant.scales, np.abs(factor) * np.asarray(quant.scales), rtol=1e-6)


def test_factor_of_zero_over_stored_weights() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    with_stored_weights(net, QuantParams((0.25,)))
    z = net.add("z", Mul(), y, constant("k", np.float32([0.5, 0, -2, 1e-45])))
    weight = folded(net.graph(z), changes=1).nodes[0].inputs[1]
    assert weight.const is not None and not weight.const[[1, 3]].any() and weight.const[[0, 2]].any()


def test_negative_factor_of_the_lowest_int8_needs_int16() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    with_stored_weights(net, QuantParams((0.25,)), low=-128)
    layer = net.nodes[-1]
    assert layer.inputs[1].const is not None
    layer.inputs[1].const[0, 0, 0, 0] = -128
    z = net.add("z", Mul(), y, constant("k", np.float32([-1, -1, -1, -1])))
    assert folded(net.graph(z), changes=1).nodes[0].inputs[1].dtype is DType.I16


def test_scales_of_input_channels_do_not_take_factors() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    with_stored_weights(net, QuantParams((0.5, 0.25, 0.125), axis=3))
    z = net.add("z", Mul(), y, net.values("k", 4))
    folded(net.graph(z), changes=0)


def test_behind_stored_activations_the_factors_are_stored() -> None:
    """So that the layer can be an integer one; its offsets are as fine as 1/127 of a step of its input."""
    net = FloatGraph((1, 6, 6, 4))
    q = Tensor("q", net.x.shape, DType.I8, QuantParams((0.25,)))
    net.nodes.append(Node(Quantize(), [net.x], [q], ("q",)))
    y = net.add("y", Dequantize(), q)
    result = folded(net.graph(batchnorm(net, "z", y)), changes=1)
    weight = result.nodes[-1].inputs[1]
    assert weight.const is not None and set(np.abs(weight.const).ravel()) == {127}


@pytest.mark.parametrize("op", [Mul(), Add()])
def test_before_a_layer_that_pads_only_without_an_offset(op: Mul | Add) -> None:
    net = FloatGraph((1, 6, 6, 3))
    x = net.add("x2", op, net.x, net.values("k", 3))
    folded(net.graph(net.conv("y", x, 4, window=SAME)), changes=1 if op == Mul() else 0)


@pytest.mark.parametrize("factors", [[0.5, 0.5, 0.5], [0.5, 0.25, 0.5], [-0.5, -0.5, -0.5]])
def test_stored_weights_behind_take_one_positive_factor_only(factors: list[float]) -> None:
    net = FloatGraph((1, 6, 6, 3))
    x = net.add("x2", Mul(), net.x, constant("k", np.float32(factors)))
    y = net.conv("y", x, 4)
    with_stored_weights(net, QuantParams((0.5, 0.25, 0.125), axis=3))
    before = net.nodes[-1].inputs[1].const
    changes = int(factors == [0.5, 0.5, 0.5])
    result = folded(net.graph(y), changes=changes)
    weight = result.nodes[-1].inputs[1]
    np.testing.assert_array_equal(weight.const, before)
    assert weight.quant is not None and weight.quant.scales[0] == (0.25 if changes else 0.5)
