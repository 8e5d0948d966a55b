"""Networks of one layer for the tests of decompositions."""

from __future__ import annotations

import copy

import numpy as np
from float_graphs import RELU, SAME, FloatGraph

from mcucompile.ir import Array, Graph, Node, constant, verify
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window
from mcucompile.passes.compress import Change, Compression
from mcucompile.reference import evaluate

STRIDED = Window((3, 3), (2, 1), (1, 0, 1, 2))
DILATED = Window((3, 2), (1, 2), (0, 1, 3, 0), (2, 1))
WINDOWS = (SAME, STRIDED, DILATED)


def conv_network(channels: int, outputs: int, window: Window = SAME, seed: int = 0) -> tuple[Graph, dict[str, Array]]:
    """One convolution of a 9x8 image with Relu; and 40 samples whose neighbouring pixels are alike."""
    net = FloatGraph((1, 9, 8, channels), seed)
    y = net.conv("y", net.x, outputs, RELU, window)
    noise = net.rng.normal(size=(40, 11, 10, channels)) @ net.rng.normal(size=(channels, channels))
    smooth = sum(noise[:, i : i + 9, j : j + 8] for i in range(3) for j in range(3))
    return net.graph(y), {"x": np.asarray(smooth, np.float32)[:, None]}


def dense_network(inputs: int, outputs: int, seed: int = 0) -> tuple[Graph, dict[str, Array]]:
    """One fully connected layer with Relu; and 60 samples of few directions."""
    net = FloatGraph((1, inputs), seed)
    y = net.dense("y", net.x, outputs, RELU)
    few = net.rng.normal(size=(60, 8)) @ net.rng.normal(size=(8, inputs))
    samples = few + 0.1 * net.rng.normal(size=(60, inputs)) + 0.5
    return net.graph(y), {"x": samples[:, None].astype(np.float32)}


def weight_of(graph: Graph) -> Array:
    """The weights of the only layer, in float64."""
    (node,) = graph.nodes
    assert node.inputs[1].const is not None
    return node.inputs[1].const.astype(np.float64)


def with_weight(graph: Graph, weight: Array) -> Graph:
    """The network of one layer with other weights."""
    (node,) = graph.nodes
    tensor = constant("w", weight.astype(np.float32))
    return Graph(
        "net", graph.inputs, graph.outputs, [Node(node.op, [node.inputs[0], tensor, node.inputs[2]], node.outputs)]
    )


def applied(
    compression: Compression, graph: Graph, samples: dict[str, Array] | None = None
) -> tuple[Graph, tuple[Change, ...]]:
    """A copy of the network after the pass, which takes all layers that it can."""
    result = copy.deepcopy(graph)
    changes = compression.apply(result, [n for n in result.nodes if compression.takes(n)], samples)
    result.remove_unread()
    verify(result)
    assert [t.name for t in result.outputs] == [t.name for t in graph.outputs]
    return result, changes


def assert_same(want: Graph, got: Graph, samples: dict[str, Array], tolerance: float = 1e-5) -> None:
    """Outputs equal up to float32's rounding, relative to the largest."""
    for x in samples["x"][:3]:
        a, b = evaluate(want, {"x": x}), evaluate(got, {"x": x})
        for name in a:
            assert np.abs(a[name]).max() > 0.1, "an output of zeros proves nothing"
            assert np.abs(a[name] - b[name]).max() <= tolerance * np.abs(a[name]).max()


def macs(graph: Graph) -> int:
    return sum(n.op.macs(n) for n in graph.nodes)


def kernels(graph: Graph) -> list[tuple[int, int]]:
    return [n.op.window.kernel for n in graph.nodes if isinstance(n.op, Conv2d)]
