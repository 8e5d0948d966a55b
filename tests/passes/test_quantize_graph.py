"""Post-training quantization of small float graphs, judged by the bit-exact reference."""

from __future__ import annotations

import copy
import warnings
from typing import Literal

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.ir import Array, DType, Graph, Tensor, graph_text, real_values, verify
from mcucompile.ops.softmax import Softmax
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import evaluate, quantized_inputs

METHODS = ["minmax", "percentile", "mse", "entropy"]


def real_outputs(graph: Graph, samples: dict[str, Array]) -> Array:
    """The first output of every sample as real values, one run at a time."""
    output, stored = graph.outputs[0], quantized_inputs(graph, samples)
    results = []
    for i in range(len(next(iter(stored.values())))):
        value = evaluate(graph, {name: values[i] for name, values in stored.items()})[output.name]
        results.append(output.quant.dequantize(value) if output.quant else value)
    return np.asarray(results)


def signal_to_noise(graph: Graph, samples: dict[str, Array], options: QuantizeOptions) -> float:
    """Decibels between the float network and its quantized form; the graph itself stays as it is."""
    integer = copy.deepcopy(graph)
    quantize(integer, samples, options)
    verify(integer)
    want, got = real_outputs(graph, samples), real_outputs(integer, samples)
    return float(10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()))


@pytest.mark.parametrize("method", METHODS)
def test_int8_is_near_the_float_network(method: str) -> None:
    graph, samples = small_network()
    assert signal_to_noise(graph, samples, QuantizeOptions(ranges=method)) > 30  # type: ignore[arg-type]


def test_int16_is_nearer() -> None:
    graph, samples = small_network()
    wide = signal_to_noise(graph, samples, QuantizeOptions(DType.I16, "minmax"))
    assert wide > signal_to_noise(graph, samples, QuantizeOptions(DType.I8, "minmax")) + 3


def quantized(graph: Graph, samples: dict[str, Array], dtype: DType = DType.I8) -> dict[str, Tensor]:
    quantize(graph, samples, QuantizeOptions(dtype, "minmax", "off", "off"))
    verify(graph)
    return {t.name: t for t in [*graph.activations(), *graph.constants()]}


def test_types_and_scales() -> None:
    graph, samples = small_network()
    floats = {t.name: t for t in graph.constants()}
    tensors = quantized(graph, samples)
    x, y, w, b = tensors["x"].quant, tensors["y"].quant, tensors["z_w"].quant, tensors["z_b"].quant
    assert x and y and w and b
    assert (x.dtype, y.dtype, w.dtype, b.dtype) == (DType.I8, DType.I8, DType.I8, DType.I32)
    assert (w.axis, w.zero, b.axis, b.zero) == (2, 0, 0, 0)
    assert y.zero == -128, "a Relu's range starts at zero"
    low, high = samples["x"].min(), samples["x"].max()
    assert x.scale == pytest.approx((high - low) / 255, rel=1e-6)
    assert x.dequantize(np.asarray([x.zero], np.int8))[0] == 0
    largest = np.abs(real_values(floats["z_w"])).max(axis=(0, 1))
    assert np.allclose(w.scales, largest / 127, rtol=1e-6)
    assert np.allclose(b.scales, y.scale * np.asarray(w.scales), rtol=1e-6)
    stored = tensors["z_w"].const
    assert stored is not None and stored.min() >= -127 and np.abs(stored).max(axis=(0, 1)).tolist() == [127] * 8


def test_reshape_keeps_the_scale() -> None:
    graph, samples = small_network()
    tensors = quantized(graph, samples)
    assert tensors["scores_flat"].quant == tensors["z"].quant


def test_int16_is_symmetric() -> None:
    graph, samples = small_network()
    tensors = quantized(graph, samples, DType.I16)
    x, y, w = tensors["x"].quant, tensors["y"].quant, tensors["y_w"].quant
    assert x and y and w
    assert (x.dtype, x.zero, y.zero, w.dtype) == (DType.I16, 0, 0, DType.I8)
    assert x.scale == pytest.approx(np.abs(samples["x"]).max() / 32767, rel=1e-6)


def test_a_dead_channel_keeps_its_bias() -> None:
    """A channel whose weights are all zero is its bias, to the precision of the output's step."""
    net = FloatGraph((1, 4, 4, 2))
    net.conv("y", net.x, 4, RELU)
    node = net.nodes[0]
    weight, bias = node.inputs[1].const, node.inputs[2].const
    assert weight is not None and bias is not None
    weight[1], bias[1] = 0, 0.7
    graph, samples = net.graph(node.output), net.samples(10)
    integer = copy.deepcopy(graph)
    tensors = quantized(integer, samples)
    step = tensors["y"].quant
    assert step and np.abs(real_outputs(integer, samples)[..., 1] - 0.7).max() <= 0.51 * step.scale


@pytest.mark.parametrize(
    ("dtype", "tiny"), [(DType.I8, 1e-7), (DType.I8, 1e-30), (DType.I16, 1e-7), (DType.I16, 1e-30)]
)
def test_a_huge_bias_on_tiny_weights(dtype: DType, tiny: float) -> None:
    """The channel's weights lose precision instead: their share of the output is below a step."""
    net = FloatGraph((1, 4, 4, 2))
    net.conv("y", net.x, 4)
    weight, bias = net.nodes[0].inputs[1].const, net.nodes[0].inputs[2].const
    assert weight is not None and bias is not None
    weight[2] *= tiny
    bias[2] = 50.0
    graph, samples = net.graph(net.nodes[0].output), net.samples(10)
    integer = copy.deepcopy(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensors = quantized(integer, samples, dtype)
    step = tensors["y"].quant
    assert step and np.abs(real_outputs(integer, samples)[..., 2] - 50).max() <= 0.51 * step.scale + 1e-5


def test_a_constant_zero_activation() -> None:
    graph, samples = small_network()
    samples["x"][:] = 0
    quantized(graph, samples)
    assert evaluate(graph, {"x": np.zeros((1, 8, 8, 3), np.int8)})["scores"].shape == (1, 10)


def test_auto_takes_the_best_of_all_trials() -> None:
    graph, samples = small_network()
    report = quantize(copy.deepcopy(graph), samples, QuantizeOptions())
    ways = {(t.ranges, t.equalized, t.bias_corrected) for t in report.trials}
    assert ways == {(r, e, c) for r in ("minmax", "percentile", "mse") for e in (False, True) for c in (False, True)}
    assert report.chosen.decibels == max(t.decibels for t in report.trials)


def test_what_was_chosen_is_what_is_delivered() -> None:
    """The graph is as near to the float network as the report says, measured by single runs on the same samples."""
    graph, samples = small_network()
    integer = copy.deepcopy(graph)
    report = quantize(integer, samples, QuantizeOptions())
    want, got = real_outputs(graph, samples).astype(np.float64), real_outputs(integer, samples)
    expected = 10 * np.log10(np.square(want - want.mean()).sum() / np.square(want - got).sum())
    assert report.chosen.decibels == pytest.approx(expected, abs=1e-3)
    assert report.tensors == {t.name: t.quant for t in integer.activations()}
    assert report.layers[-1].tensor == "scores"


@pytest.mark.parametrize("forced", ["on", "off"])
def test_options_are_obeyed(forced: Literal["on", "off"]) -> None:
    graph, samples = small_network()
    report = quantize(graph, samples, QuantizeOptions(DType.I8, "percentile", forced, forced))
    (trial,) = report.trials
    assert (trial.ranges, trial.equalized, trial.bias_corrected) == ("percentile", forced == "on", forced == "on")


def test_a_graph_without_pairs_cannot_be_equalized() -> None:
    net = FloatGraph((1, 4, 4, 2))
    graph, samples = net.graph(net.conv("y", net.x, 4)), net.samples(5)
    assert not quantize(graph, samples, QuantizeOptions(equalize="on")).chosen.equalized


def test_same_data_same_network() -> None:
    texts = []
    for _ in range(2):
        graph, samples = small_network()
        quantize(graph, samples, QuantizeOptions())
        texts.append(graph_text(graph))
    assert texts[0] == texts[1]


def test_samples_may_lack_the_batch_axis() -> None:
    graph, samples = small_network()
    other = copy.deepcopy(graph)
    quantize(graph, samples, QuantizeOptions())
    quantize(other, {"x": samples["x"][:, 0]}, QuantizeOptions())
    assert graph_text(graph) == graph_text(other)


def test_one_sample_is_enough() -> None:
    graph, samples = small_network()
    quantize(graph, {"x": samples["x"][:1]}, QuantizeOptions())
    verify(graph)


def test_the_figure_is_taken_before_the_softmax() -> None:
    net = FloatGraph((1, 6))
    logits = net.dense("logits", net.x, 4)
    bare = copy.deepcopy(net.graph(logits))
    samples = net.samples(30)
    squashed = copy.deepcopy(net.graph(net.add("p", Softmax(), logits)))
    first = quantize(bare, samples, QuantizeOptions(ranges="minmax", correct_bias="off"))
    second = quantize(squashed, samples, QuantizeOptions(ranges="minmax", correct_bias="off"))
    assert first.chosen.decibels == pytest.approx(second.chosen.decibels, abs=1e-9)
