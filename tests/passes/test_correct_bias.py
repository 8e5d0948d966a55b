"""Bias correction removes the mean error of every layer on the samples it saw."""

from __future__ import annotations

import numpy as np
from float_graphs import FloatGraph, small_network

from mcucompile.ir import Array, DType, Graph, verify
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.transpose import Transpose
from mcucompile.passes.calibrate import METHODS, observe, runner
from mcucompile.passes.convert import convert
from mcucompile.passes.correct_bias import correct_bias
from mcucompile.passes.quantization_plan import plan
from mcucompile.reference import evaluate, quantized_inputs


def quantized_and_corrected(graph: Graph, samples: dict[str, Array]) -> tuple[Graph, Graph]:
    seen = observe(runner(graph, samples), samples)
    ranges = {t: METHODS["minmax"](o.histogram, DType.I8) for t, o in seen.items()}
    integer = convert(graph, plan(graph, ranges, DType.I8), DType.I8)
    corrected = correct_bias(graph, seen, runner(integer, quantized_inputs(integer, samples)), samples)
    verify(corrected)
    return integer, corrected


def mean_error(graph: Graph, integer: Graph, samples: dict[str, Array]) -> Array:
    """Per channel of the first output, in steps of its scale, from single runs."""
    output = integer.outputs[0]
    assert output.quant
    stored = quantized_inputs(integer, samples)["x"]
    want = np.stack([evaluate(graph, {"x": x})[output.name] for x in samples["x"]])
    got = np.stack([output.quant.dequantize(evaluate(integer, {"x": x})[output.name]) for x in stored])
    error: Array = (got - want).reshape(-1, output.shape[-1]).mean(axis=0) / output.quant.scale
    return error


def test_mean_error_vanishes() -> None:
    """What remains is the rounding of the output itself, whose mean over 40 samples is a fraction of a step."""
    graph, samples = small_network(seed=5)
    for node in graph.nodes[:2]:  # rough weights, as one scale for very different values makes them
        weight = node.inputs[1].const
        assert weight is not None
        weight[..., 0] *= 40
    integer, corrected = quantized_and_corrected(graph, samples)
    before, after = mean_error(graph, integer, samples), mean_error(graph, corrected, samples)
    assert np.abs(after).max() < 0.15
    assert np.abs(after).max() < 0.5 * np.abs(before).max()


def test_only_biases_change() -> None:
    graph, samples = small_network()
    integer, corrected = quantized_and_corrected(graph, samples)
    for a, b in zip(integer.nodes, corrected.nodes, strict=True):
        assert a.op == b.op
        assert a.inputs[:2] == b.inputs[:2]
        assert [t.quant for t in a.inputs] == [t.quant for t in b.inputs]


def test_samples_away_from_the_first_axis_leave_the_bias() -> None:
    """The batched input of the layer is [5, samples, 6], over whose mean nothing is known."""
    net = FloatGraph((1, 5, 6))
    line = net.add("line", Transpose((1, 0, 2)), net.x)
    y = net.dense("y", net.add("rows", Reshape((1, 30)), line), 4)
    integer, corrected = quantized_and_corrected(net.graph(y), net.samples(6))
    assert integer.nodes[-1].op == corrected.nodes[-1].op
