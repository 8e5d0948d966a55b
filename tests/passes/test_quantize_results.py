"""Calibration samples give the layers of a quantized file the scales that the file leaves out."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sketch import Q, Sketch, names

from mcucompile.errors import CompileError
from mcucompile.ir import Array, DType, Graph, QuantParams, constant, verify
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.dense import Dense
from mcucompile.ops.mul import Mul
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.absorb_qdq import AbsorbQdq
from mcucompile.passes.dequantize_constants import DequantizeConstants
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.quantize_results import quantize_results, real_results
from mcucompile.reference import evaluate

WEIGHT = QuantParams(tuple(float(np.float32(0.02 + 0.01 * i)) for i in range(4)), axis=0)


def network(stored: bool = True, sigmoid: bool = False, twice: bool = False) -> Graph:
    """Real input, stored with `Q`, a fully connected layer with stored weights and real output; its sigmoid behind."""
    s = Sketch()
    x = s.input(1, 6)
    a = s.dequantize(s.quantize(x)) if stored else x
    w = constant("w", s.rng.integers(-7, 8, (4, 6)).astype(np.int8), WEIGHT)
    b = constant("b", np.float32([0.5, -0.25, 0, 3]))
    y = s.add(Dense(), a, w, b, name="y")
    outputs = [s.add(Sigmoid(), y, name="z") if sigmoid else y]
    if twice:
        outputs.append(s.add(Dense(), a, w, constant("b2", np.zeros(4, np.float32)), name="again"))
    graph = s.done(*outputs)
    AbsorbQdq().run(graph)
    DequantizeConstants().run(graph)
    return graph


def samples(count: int = 50) -> dict[str, Array]:
    return {"x": np.random.default_rng(0).uniform(-3, 3, (count, 1, 6)).astype(np.float32)}


def assert_close(graph: Graph, before: Graph) -> None:
    """Within half a step, and 1/32 for the bias, which is a whole number of steps of the sum."""
    verify(graph)
    FixMultipliers().run(graph)
    (steps,) = {n.inputs[0].quant.scale for n in graph.nodes if n.op.name == "dequantize"}  # type: ignore[union-attr]
    for x in samples()["x"]:
        found, wanted = evaluate(graph, {"x": x}), evaluate(before, {"x": x})
        for name, value in wanted.items():
            assert np.abs(found[name] - value).max() <= (1 / 2 + 1 / 32) * steps


def test_result_becomes_int8() -> None:
    graph = network()
    before = copy.deepcopy(graph)
    assert [n.op.name for n in real_results(graph)] == ["dense"]
    assert quantize_results(graph, samples()) == 1
    assert names(graph) == ["quantize", "dense", "dequantize"] and real_results(graph) == []
    layer = graph.nodes[1]
    assert layer.inputs[1].quant == WEIGHT and layer.inputs[2].dtype is DType.I32
    outputs = np.concatenate([evaluate(before, {"x": x})["y"] for x in samples()["x"]])
    assert layer.output.quant is not None
    assert layer.output.quant.scale == pytest.approx(np.ptp(outputs) / 255, rel=1e-6)
    assert_close(graph, before)


def test_what_follows_comes_along() -> None:
    """A sigmoid's scale follows from its meaning."""
    graph = network(sigmoid=True)
    assert quantize_results(graph, samples()) == 2
    assert names(graph) == ["quantize", "dense", "sigmoid", "dequantize"]
    assert graph.nodes[2].output.quant == Sigmoid().fixed_quant(DType.I8)


def test_pool_and_the_layer_behind_it() -> None:
    """The pool alone has no scale; the layer waits for it."""
    s = Sketch()
    pooled = s.add(AveragePool(Window((4, 4))), s.dequantize(s.quantize(s.input(1, 4, 4, 6))))
    w = constant("w", s.rng.integers(-7, 8, (4, 6)).astype(np.int8), WEIGHT)
    graph = s.done(s.add(Dense(), s.add(Reshape((1, 6)), pooled), w, constant("b", np.zeros(4, np.float32)), name="y"))
    AbsorbQdq().run(graph)
    DequantizeConstants().run(graph)
    before = copy.deepcopy(graph)
    assert [n.op.name for n in real_results(graph)] == ["average_pool"]
    images = {"x": np.random.default_rng(0).uniform(-3, 3, (50, 1, 4, 4, 6)).astype(np.float32)}
    assert quantize_results(graph, images) == 2
    verify(graph)
    assert names(graph) == ["quantize", "average_pool", "reshape", "dense", "dequantize"]
    FixMultipliers().run(graph)
    pool, layer = (next(n for n in graph.nodes if n.op.name == name).output.quant for name in ("average_pool", "dense"))
    assert pool and layer
    reach = 0.5 * pool.scale * 7 * 6 * max(WEIGHT.scales) + (1 / 2 + 1 / 32) * layer.scale
    for x in images["x"]:
        assert np.abs(evaluate(graph, {"x": x})["y"] - evaluate(before, {"x": x})["y"]).max() <= reach


def test_operators_with_real_constants_stay() -> None:
    s = Sketch()
    y = s.add(Mul(), s.dequantize(s.input(1, 6, quant=Q)), s.constant(1, 6, name="k"))
    assert real_results(s.done(y)) == []


def test_layers_that_share_weights() -> None:
    graph = network(twice=True)
    assert quantize_results(graph, samples()) == 2
    verify(graph)
    assert names(graph).count("dense") == 2


def test_real_network_stays_as_it_is() -> None:
    graph = network(stored=False)
    assert quantize_results(graph, samples()) == 0 and real_results(graph) == []


def test_real_weights_stay() -> None:
    s = Sketch()
    a = s.dequantize(s.input(1, 6, quant=Q))
    graph = s.done(s.add(Dense(), a, s.constant(4, 6, name="w"), s.constant(4, name="b")))
    assert real_results(graph) == []


def test_samples_that_are_no_numbers() -> None:
    graph = network(sigmoid=True)
    real_results(graph)[0].inputs[2] = constant("b", np.float32([np.inf, 0, 0, 0]))
    with pytest.raises(CompileError) as caught:
        quantize_results(graph, samples())
    assert caught.value.code == "E0202"
