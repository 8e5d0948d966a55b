"""Weights that share values in networks that arrive quantized: what layers read is that of the finished network."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from integer_networks import applied

from mcucompile.frontend import load
from mcucompile.ir import Array, Graph, Node
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress import Compression
from mcucompile.passes.compress.cluster import Cluster
from mcucompile.passes.compress.hash_weights import HashWeights
from mcucompile.passes.compress.product_quantize import ProductQuantize
from mcucompile.passes.compress.sharing import integer_layers, is_integer_layer, share
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.quantize_results import quantize_results
from mcucompile.pipeline import PASSES_BEFORE, run_passes
from mcucompile.reference import quantized_inputs

MODELS = Path(__file__).parents[2] / "models"
PASSES = (Cluster(5), ProductQuantize(12, 2), HashWeights(2))
COARSER = (Cluster(2), ProductQuantize(4, 2), HashWeights(2))  # for weights that are -1, 0 and 1
CASES = [
    *((p, model) for p in PASSES for model in ("qonnx_w4a4", "classifier_qdq_int8")),  # with a residual sum
    *((p, "qonnx_w2a4") for p in COARSER),  # with an average pool
]


def arrived(model: str) -> tuple[Graph, dict[str, Array]]:
    """The network as passes of the stage `share` get it, and 100 images."""
    graph = load(MODELS / f"{model}.onnx").graph
    run_passes(graph, PASSES_BEFORE)
    (image,) = graph.inputs
    values = np.random.default_rng(0).normal(size=(100, *image.shape)).astype(np.float32)
    quantize_results(graph, {image.name: values})
    return graph, {image.name: values}


def finished(graph: Graph) -> Graph:
    result = copy.deepcopy(graph)
    FixMultipliers().run(result)
    return result


def lost(graph: Graph, changed: Graph, samples: dict[str, Array]) -> float:
    """The squared error of the real outputs of the finished network relative to their variance."""
    runs = [finished(g) for g in (graph, changed)]
    want, got = (runner(r, samples).outputs(samples)[r.outputs[0]] for r in runs)
    return float(np.square(want - got).sum() / np.square(want - want.mean(axis=0)).sum())


def mean_input(graph: Graph, node: Node, samples: dict[str, Array]) -> float:
    """Over all samples, places and channels, of what a layer reads in the finished network."""
    runs = finished(graph)
    tensor = runs.nodes[graph.nodes.index(node)].inputs[0]
    runs.outputs = [tensor]
    stored = quantized_inputs(runs, samples)
    assert tensor.quant
    return float(tensor.quant.dequantize(runner(runs, stored).outputs(stored)[tensor]).mean())


@pytest.mark.parametrize(("compression", "model"), CASES, ids=[f"{p.name}-{model}" for p, model in CASES])
def test_samples_make_the_outputs_better(compression: Compression, model: str) -> None:
    graph, samples = arrived(model)
    aware, changes = applied(compression, graph, samples)
    blind, _ = applied(compression, graph)
    assert changes and all(c.effect is not None for c in changes)
    assert lost(graph, aware, samples) < 0.7 * lost(graph, blind, samples)


def test_layers_see_the_finished_network_before_and_after_the_change() -> None:
    """The last layer's window is its whole input, so that the mean of its rows is that of the tensor."""
    graph, samples = arrived("qonnx_w4a4")
    before, layers = copy.deepcopy(graph), [n for n in graph.nodes if is_integer_layer(n)]
    for layer in integer_layers(graph, layers, samples, 0.05):
        if layer.node is not layers[-1]:
            share(graph, layer, np.rint(layer.codes / 3), "coarse", "weights")
    assert layer.node is layers[-1] and layer.moments
    last = before.nodes[graph.nodes.index(layers[-1])]
    old, new = mean_input(before, last, samples), mean_input(graph, layers[-1], samples)
    assert abs(old - new) > 0.01
    assert layer.moments.mean.mean() == pytest.approx(old, rel=1e-5)
    assert layer.moments.new_mean.mean() == pytest.approx(new, rel=1e-5)
    assert [n.op for n in graph.nodes] == [n.op for n in before.nodes]
