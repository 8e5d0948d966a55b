"""The second moments predict what a change of weights does to a layer's sums, for every kind of layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.errors import CompileError
from mcucompile.ir import Array, DType, Graph, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.window import Window
from mcucompile.passes.calibrate import METHODS, observe, runner
from mcucompile.passes.compress.hessian import (
    MOST_ROWS,
    input_moments,
    moments_in_order,
    needed_samples,
    some_places,
    weight_rows,
    weights_from_rows,
)
from mcucompile.passes.convert import convert
from mcucompile.passes.quantization_plan import plan
from mcucompile.reference import evaluate, quantized_inputs


def every_kind(seed: int = 0) -> tuple[Graph, dict[str, Array]]:
    """A grouped convolution with padding and stride, a depthwise one with two filters per channel, fully connected."""
    net = FloatGraph((1, 6, 5, 4), seed)
    window = Window((3, 2), (2, 1), (1, 0, 1, 1))
    w, b = net.values("a_w", 6, 3, 2, 2), net.values("a_b", 6)
    a = net.add("a", Conv2d(window, groups=2), net.x, w, b)
    deep = net.values("d_w", 3, 3, 12)
    d = net.add("d", DepthwiseConv2d(Window((3, 3), pads=(1, 1, 1, 1))), a, deep, net.values("d_b", 12))
    return net.graph(net.dense("y", d, 3)), net.samples(7)


def outputs(graph: Graph, name: str, samples: dict[str, Array]) -> Array:
    (node,) = [n for n in graph.nodes if n.output.name == name]
    alone = Graph("part", graph.inputs, [node.output], graph.nodes)
    return np.stack([evaluate(alone, {"x": x})[name] for x in samples["x"]]).astype(np.float64)


@pytest.mark.parametrize("name", ["a", "d", "y"])
def test_moments_predict_the_error_of_any_change(name: str) -> None:
    """Mean over samples and places of the squared change of each output channel, measured by running both networks."""
    graph, samples = every_kind()
    (node,) = [n for n in graph.nodes if n.output.name == name]
    m = input_moments(graph, [node], samples)[node]
    rows = weight_rows(node)
    changed = rows + np.random.default_rng(1).normal(size=rows.shape) * 0.1
    before = outputs(graph, name, samples)
    node.inputs[1] = constant("changed", weights_from_rows(node, changed.astype(np.float32)))
    difference = (outputs(graph, name, samples) - before).reshape(-1, node.output.shape[-1])
    e = changed - rows
    want = np.mean(difference**2, axis=0)
    np.testing.assert_allclose(np.einsum("goi,gij,goj->go", e, m.second, e).ravel(), want, rtol=1e-4)
    np.testing.assert_allclose(
        np.einsum("goi,gij,goj->go", e, m.covariance, e).ravel(), difference.var(axis=0), rtol=1e-3
    )
    np.testing.assert_allclose(m.bias_change(rows, changed), -difference.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("name", ["a", "d", "y"])
def test_rows_of_weights_come_back(name: str) -> None:
    graph, _ = every_kind()
    (node,) = [n for n in graph.nodes if n.output.name == name]
    weight = node.inputs[1].const
    assert weight is not None
    np.testing.assert_array_equal(weights_from_rows(node, weight_rows(node).astype(np.float32)), weight)


def test_later_layers_see_what_was_changed() -> None:
    """After every weight of the first layer became zero, the second one reads the bias alone, beside its old input."""
    net = FloatGraph((1, 6), 3)
    y = net.dense("y", net.x, 5, RELU)
    graph, samples = net.graph(net.dense("z", y, 4)), net.samples(9)
    before = np.stack([evaluate(Graph("y", graph.inputs, [y], graph.nodes[:1]), {"x": x})["y"] for x in samples["x"]])
    found = {}
    for node, m in moments_in_order(graph, graph.nodes, samples):
        found[node.output.name] = m
        if node.output is y:
            node.inputs[1] = constant("zeros", np.zeros((5, 6), np.float32))
    bias = graph.nodes[0].inputs[2].const
    assert bias is not None
    after = np.maximum(bias.astype(np.float64), 0)
    np.testing.assert_allclose(found["z"].second[0], np.outer(after, after), rtol=1e-5)
    np.testing.assert_allclose(found["z"].mean[0], before.reshape(9, 5).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["z"].covariance[0], np.zeros((5, 5)), atol=1e-9)
    np.testing.assert_allclose(found["z"].cross_covariance[0], np.zeros((5, 5)), atol=1e-6)


def test_target_restores_what_an_earlier_layer_lost() -> None:
    """The inputs of the second layer were halved; without damping the target doubles its weights."""
    net = FloatGraph((1, 4), 5)
    y = net.dense("y", net.x, 4)
    graph, samples = net.graph(net.dense("z", y, 3)), net.samples(30)
    for node, m in moments_in_order(graph, graph.nodes, samples):
        if node.output is y:
            weight, bias = node.inputs[1].const, node.inputs[2].const
            assert weight is not None and bias is not None
            node.inputs[1:] = [constant("half", weight / 2), constant("half_b", bias / 2)]
        else:
            rows = weight_rows(node)
            np.testing.assert_allclose(m.target(rows, 1e-9), 2 * rows, rtol=1e-4)
            np.testing.assert_allclose(m.target(rows, 1e9), rows, rtol=1e-4)


def test_integer_layers_are_seen_in_real_units() -> None:
    graph, samples = small_network()
    seen = observe(runner(graph, samples), samples)
    ranges = {t: METHODS["minmax"](o.histogram, DType.I8) for t, o in seen.items()}
    integer = convert(graph, plan(graph, ranges, DType.I8), DType.I8)
    want = input_moments(graph, graph.nodes, samples)
    got = input_moments(integer, integer.nodes, quantized_inputs(integer, samples))
    by_name = {n.output.name: m for n, m in got.items()}
    for node, m in want.items():
        reach = np.abs(m.second).max()
        np.testing.assert_allclose(by_name[node.output.name].second, m.second, atol=0.03 * reach)


def test_no_more_rows_than_stated() -> None:
    graph, _ = small_network()
    node = graph.nodes[0]
    many = some_places(node, MOST_ROWS // 10)
    assert len(many) == 10
    assert len(set(many.tolist())) == 10 and many.max() < 64
    assert len(some_places(node, 1)) == 64


def test_hessian_is_positive_definite_where_inputs_never_vary() -> None:
    net = FloatGraph((1, 4), 2)
    graph, samples = net.graph(net.dense("y", net.x, 2)), net.samples(5)
    samples["x"][..., 1:] = 3.0
    m = input_moments(graph, graph.nodes, samples)[graph.nodes[0]]
    np.linalg.cholesky(m.hessian())
    np.linalg.cholesky(replace(m, covariance=m.covariance * 0).hessian())


def test_small_variance_around_a_large_mean() -> None:
    """1000 +- 0.01: products of float32 alone would leave nothing of the variance."""
    net = FloatGraph((1, 3))
    graph, samples = net.graph(net.dense("y", net.x, 2)), net.samples(200)
    samples["x"] = (1000 + 0.01 * samples["x"]).astype(np.float32)
    m = input_moments(graph, graph.nodes, samples)[graph.nodes[0]]
    want = np.cov(samples["x"].reshape(200, 3).astype(np.float64).T, bias=True)
    np.testing.assert_allclose(m.covariance[0], want, atol=1e-3 * want.max())
    np.testing.assert_allclose(m.mean[0], samples["x"].reshape(200, 3).astype(np.float64).mean(axis=0), rtol=1e-7)


def test_cross_covariance_of_a_changed_layer_with_the_original() -> None:
    """The first layer's outputs were halved and got another bias: cov(x, x / 2 + c) = cov(x, x) / 2."""
    net = FloatGraph((1, 4), 5)
    y = net.dense("y", net.x, 4)
    graph, samples = net.graph(net.dense("z", y, 3)), net.samples(130)
    want = input_moments(graph, graph.nodes, samples)[graph.nodes[1]]
    for node, m in moments_in_order(graph, graph.nodes, samples):
        weight, bias = node.inputs[1].const, node.inputs[2].const
        assert weight is not None and bias is not None
        if node.output is y:
            node.inputs[1:] = [constant("half", weight / 2), constant("other_b", bias + 3)]
        else:
            np.testing.assert_allclose(m.cross_covariance, want.covariance / 2, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(m.covariance, want.covariance / 4, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(m.mean, want.mean, rtol=1e-5)


def test_infinite_values_are_the_data_s_fault() -> None:
    graph, samples = small_network()
    samples["x"][3] = np.float32(3e38)
    with pytest.raises(CompileError) as caught:
        input_moments(graph, graph.nodes, samples)
    assert caught.value.code == "E0202"


def test_samples_are_asked_for() -> None:
    with pytest.raises(CompileError) as caught:
        needed_samples(None, "prune_weights with criterion obs", "use criterion:magnitude")
    assert caught.value.code == "E0201" and "criterion:magnitude" in caught.value.fix
