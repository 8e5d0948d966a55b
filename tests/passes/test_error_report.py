"""The report finds the layer that was spoilt."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.ir import Array, DType, Graph
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.passes.calibrate import METHODS, Range, observe, runner
from mcucompile.passes.convert import convert
from mcucompile.passes.error_report import LayerError, layer_errors, weakest
from mcucompile.passes.quantization_plan import plan
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import evaluate, quantized_inputs


def errors_of(graph: Graph, samples: dict[str, Array], spoilt: str = "") -> dict[str, LayerError]:
    """With the range of one tensor a hundred times too large."""
    seen = observe(runner(graph, samples), samples)
    ranges = {t: METHODS["minmax"](o.histogram, DType.I8) for t, o in seen.items()}
    ranges |= {t: Range(100 * r.low, 100 * r.high) for t, r in ranges.items() if t.name == spoilt}
    integer = convert(graph, plan(graph, ranges, DType.I8), DType.I8)
    return {e.tensor: e for e in layer_errors(graph, integer, samples)}


@pytest.mark.parametrize("spoilt", ["y", "z"])
def test_spoilt_layer_is_named(spoilt: str) -> None:
    net = FloatGraph((1, 8, 8, 3))
    y = net.conv("y", net.x, 8, RELU)
    z = net.conv("z", y, 8, RELU)
    w = net.conv("w", z, 4)
    graph, samples = net.graph(w), net.samples(10)
    good, bad = errors_of(graph, samples), errors_of(graph, samples, spoilt)
    assert weakest(list(bad.values())) in (spoilt, {"y": "z", "z": "w"}[spoilt]), "it or its reader"
    assert (bad[spoilt].alone or 0) < (good[spoilt].alone or 0) - 20
    assert bad["w"].cumulative is not None and good["w"].cumulative is not None
    assert bad["w"].cumulative < good["w"].cumulative - 10


def test_layers_before_the_spoilt_one_are_as_before() -> None:
    graph, samples = small_network()
    assert errors_of(graph, samples)["y"] == errors_of(graph, samples, "z")["y"]


def test_decibels_by_hand() -> None:
    graph, samples = small_network()
    integer = copy.deepcopy(graph)
    report = quantize(integer, samples, QuantizeOptions(ranges="minmax", equalize="off", correct_bias="off"))
    output = integer.outputs[0]
    assert output.quant
    stored = quantized_inputs(integer, samples)["x"]
    want = np.stack([evaluate(graph, {"x": x})["scores"] for x in samples["x"]]).astype(np.float64)
    got = np.stack([output.quant.dequantize(evaluate(integer, {"x": x})["scores"]) for x in stored])
    expected = 10 * np.log10(np.square(want).sum() / np.square(want - got).sum())
    assert report.layers[-1].cumulative == pytest.approx(expected, abs=1e-3)


def test_operators_that_only_move_values_lose_nothing_by_themselves() -> None:
    graph, samples = small_network()
    errors = errors_of(graph, samples)
    assert errors["scores_flat"].alone is None
    assert errors["scores_flat"].cumulative == pytest.approx(errors["z"].cumulative)


def test_no_loss_no_weakest() -> None:
    assert weakest([LayerError("a", "reshape", (), None, None)]) is None


def test_fixed_ranges_are_reported() -> None:
    net = FloatGraph((1, 6))
    y = net.add("y", Sigmoid(), net.dense("d", net.x, 4))
    assert errors_of(net.graph(y), net.samples(20))["y"].op == "sigmoid"
