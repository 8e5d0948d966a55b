"""Equalization changes no real result and fires only where a factor per channel may move."""

from __future__ import annotations

import numpy as np
import pytest
from float_graphs import RELU, SAME, FloatGraph

from mcucompile.ir import Array, Clip, Graph, verify
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.calibrate import observe, runner
from mcucompile.passes.equalize import balance, equalize
from mcucompile.reference import evaluate

HALVE = Window((2, 2), (2, 2))


def unequal(net: FloatGraph) -> None:
    """Channels of the first layer that differ a thousandfold."""
    node = net.nodes[0]
    weight, bias = node.inputs[1].const, node.inputs[2].const
    assert weight is not None and bias is not None
    spread = np.geomspace(1e-2, 10, bias.size).astype(np.float32)
    weight *= spread if weight.ndim == 3 else spread.reshape(-1, *[1] * (weight.ndim - 1))
    bias *= spread


def channel_reach(graph: Graph, samples: dict[str, Array]) -> list[Array]:
    seen = observe(runner(graph, samples), samples)
    return [r for n in graph.nodes if (r := seen[n.outputs[0]].reach) is not None]


def equalized(net: FloatGraph, graph: Graph) -> Graph | None:
    unequal(net)
    samples = net.samples(8)
    seen = observe(runner(graph, samples), samples)
    before = [t.const for t in graph.constants()]
    result = equalize(graph, {t: o.reach for t, o in seen.items() if o.reach is not None})
    assert all(a is t.const for a, t in zip(before, graph.constants(), strict=True)), "the original must stay"
    if result is not None:
        verify(result)
        for x in samples["x"]:
            want, got = evaluate(graph, {"x": x}), evaluate(result, {"x": x})
            assert all(np.allclose(want[name], got[name], rtol=1e-3, atol=1e-4) for name in want)
        reaches = [max(r.max() / r.min() for r in channel_reach(g, samples)[:1]) for g in (graph, result)]
        assert reaches[1] < reaches[0] / 5, "channels got nearer"
    return result


@pytest.mark.parametrize("clip", [RELU, Clip()])
@pytest.mark.parametrize("second", ["conv", "depthwise", "dense"])
def test_two_layers(second: str, clip: Clip) -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 8, clip)
    z = getattr(net, second)("z", y, *(() if second == "depthwise" else (5,)))
    assert equalized(net, net.graph(z)) is not None


def test_groups() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 8, RELU)
    z = net.add("z", Conv2d(SAME, groups=2), y, net.values("w", 6, 3, 3, 4), net.values("b", 6))
    assert equalized(net, net.graph(z)) is not None


def test_depthwise_to_pointwise() -> None:
    net = FloatGraph((1, 6, 6, 6))
    y = net.depthwise("y", net.x, RELU)
    assert equalized(net, net.graph(net.conv("z", y, 4, window=Window((1, 1))))) is not None


@pytest.mark.parametrize("between", [MaxPool(HALVE), AveragePool(HALVE), ReduceMean((1, 2)), Clamp(RELU)])
def test_through_what_commutes(between: MaxPool | AveragePool | ReduceMean | Clamp) -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("p", between, net.conv("y", net.x, 8))
    assert equalized(net, net.graph(net.dense("z", y, 5))) is not None


@pytest.mark.parametrize("between", [Sigmoid(), Clamp(Clip(0.0, 6.0)), ReduceMean((3,))])
def test_not_through_what_does_not(between: Sigmoid | Clamp | ReduceMean) -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.add("p", between, net.conv("y", net.x, 8))
    assert equalized(net, net.graph(net.dense("z", y, 5))) is None


def test_not_through_relu6() -> None:
    net = FloatGraph((1, 6, 6, 3))
    assert equalized(net, net.graph(net.conv("z", net.conv("y", net.x, 8, Clip(0.0, 6.0)), 4))) is None


def test_not_where_another_node_reads() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 8, RELU)
    z = net.conv("z", y, 8)
    assert equalized(net, net.graph(net.add("s", Add(), y, z))) is None


def test_not_where_the_tensor_leaves_the_graph() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 8, RELU)
    assert equalized(net, net.graph(net.conv("z", y, 8), y)) is None


def test_shared_weights() -> None:
    """A second layer that shares the first one's weights keeps them."""
    net = FloatGraph((1, 6, 6, 4))
    w, b = net.values("w", 4, 3, 3, 4), net.values("b", 4)
    y = net.add("y", Conv2d(SAME, clip=RELU), net.x, w, b)
    assert equalized(net, net.graph(net.add("z", Conv2d(SAME), y, w, b))) is not None


def test_balance_by_hand() -> None:
    """sqrt(a / w) = 1, 2, 4 divides a to 4, 2, 1, whose largest is still 4; a dead channel stays."""
    factor = balance(np.asarray([4.0, 4.0, 4.0, 0.0]), np.asarray([4.0, 1.0, 0.25, 1.0]))
    assert np.allclose(factor, [1.0, 2.0, 4.0, 1.0])
