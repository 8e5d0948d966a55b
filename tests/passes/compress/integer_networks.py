"""Integer networks for the tests of weight sharing."""

from __future__ import annotations

import copy

import numpy as np
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.ir import Array, Graph, Node, verify
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress import Change, Compression
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import quantized_inputs

OPTIONS = QuantizeOptions(ranges="minmax", equalize="off", correct_bias="off")


def dense_network(inputs: int = 48, outputs: int = 32, mixed: bool = True) -> tuple[Graph, dict[str, Array]]:
    """Two fully connected layers; and 200 samples whose inputs differ in size and are alike where they are mixed."""
    net = FloatGraph((1, inputs), 3)
    y = net.dense("y", net.x, outputs, RELU)
    graph = net.graph(net.dense("z", y, 10))
    values = net.rng.normal(size=(200, inputs))
    if mixed:
        values = values[:, : inputs // 3] @ net.rng.normal(size=(inputs // 3, inputs))
    samples = {"x": (values * np.geomspace(0.1, 3, inputs) + 0.5)[:, None].astype(np.float32)}
    quantize(graph, samples, OPTIONS)
    return graph, samples


def conv_network() -> tuple[Graph, dict[str, Array]]:
    """Conv, depthwise, fully connected; and 40 samples."""
    graph, samples = small_network(seed=2)
    quantize(graph, samples, OPTIONS)
    return graph, samples


def applied(
    compression: Compression, graph: Graph, samples: dict[str, Array] | None = None
) -> tuple[Graph, tuple[Change, ...]]:
    """A copy of the network after the pass, which takes all layers that it can; nothing but constants may change."""
    result = copy.deepcopy(graph)
    before = [t.const.copy() for t in graph.constants() if t.const is not None]
    changes = compression.apply(result, [n for n in result.nodes if compression.takes(n)], samples)
    verify(result)
    assert all(np.array_equal(a, t.const) for a, t in zip(before, graph.constants(), strict=True))
    assert [n.op for n in result.nodes] == [n.op for n in graph.nodes]
    assert [t.quant for t in result.constants()] == [t.quant for t in graph.constants()]
    return result, changes


def layers(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if len(n.inputs) == 3]


def weights(graph: Graph) -> list[Array]:
    return [np.asarray(n.inputs[1].const) for n in layers(graph)]


def outputs(graph: Graph, samples: dict[str, Array]) -> Array:
    """Real values of the only output, [samples, ...]."""
    stored = quantized_inputs(graph, samples)
    (output,) = graph.outputs
    assert output.quant
    return output.quant.dequantize(runner(graph, stored).outputs(stored)[output])


def noise(graph: Graph, changed: Graph, samples: dict[str, Array]) -> float:
    """The squared error of the outputs relative to their variance."""
    want, got = outputs(graph, samples), outputs(changed, samples)
    return float(np.square(want - got).sum() / np.square(want - want.mean()).sum())
