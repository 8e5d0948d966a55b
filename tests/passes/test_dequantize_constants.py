"""Stored constants of real operators become real, and keep their integers as a grid."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from float_graphs import FloatGraph

from mcucompile.ir import DType, Graph, QuantParams, Tensor, constant, verify
from mcucompile.ops.dequantize import Dequantize
from mcucompile.ops.quantize import Quantize
from mcucompile.passes.dequantize_constants import DequantizeConstants
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import evaluate


def stored(name: str, low: int, high: int, shape: tuple[int, ...], quant: QuantParams) -> Tensor:
    values = np.random.default_rng(0).integers(low, high, shape, endpoint=True)
    return constant(name, values.astype(quant.dtype.numpy), quant)


def network(weight: QuantParams, low: int = -7, high: int = 7) -> Graph:
    net = FloatGraph((1, 6, 6, 3))
    y = net.conv("y", net.x, 4)
    layer = net.nodes[-1]
    layer.inputs[1] = stored("y_w", low, high, layer.inputs[1].shape, weight)
    bias = QuantParams((2.0**-10,), 0, DType.I32)
    layer.inputs[2] = constant("y_b", np.int32([-50, 0, 30, 1000]), bias)
    return net.graph(y)


def changed(graph: Graph, count: int) -> Graph:
    """After the pass, which must not change a bit of what the graph computes."""
    result = copy.deepcopy(graph)
    assert DequantizeConstants().run(result) == count
    verify(result)
    x = {"x": np.random.default_rng(1).normal(size=(1, 6, 6, 3)).astype(np.float32)}
    np.testing.assert_array_equal(evaluate(result, x)["y"], evaluate(graph, x)["y"])
    return result


SCALES = tuple(float(np.float32(s)) for s in (0.01, 0.02, 0.03, 0.04))


@pytest.mark.parametrize("quant", [QuantParams(SCALES, axis=0), QuantParams((0.25,)), QuantParams((0.25,), 3)])
def test_weights_keep_their_integers(quant: QuantParams) -> None:
    graph = network(quant)
    layer = changed(graph, 2).nodes[0]
    weight, old = layer.inputs[1], graph.nodes[0].inputs[1]
    assert weight.grid is not None and weight.grid.axis == 0 and len(weight.grid.scales) == 4
    assert weight.const is not None and old.const is not None
    np.testing.assert_array_equal(weight.grid.quantize(weight.const), old.const.astype(int) - quant.zero)
    assert layer.inputs[2].dtype is DType.F32 and layer.inputs[2].grid is None


def test_scales_of_input_channels_are_no_grid() -> None:
    quant = QuantParams((0.5, 0.25, 0.125), axis=3)
    assert changed(network(quant), 2).nodes[0].inputs[1].grid is None


def test_weights_wider_than_int8_are_no_grid() -> None:
    quant = QuantParams((0.25,), -100)
    assert changed(network(quant, -128, 127), 2).nodes[0].inputs[1].grid is None


def test_integer_layers_keep_theirs() -> None:
    graph = network(QuantParams((0.25,)))
    (x,), (y,), act = graph.inputs, graph.outputs, QuantParams((0.0625,))
    graph.inputs = [replace(x, dtype=DType.I8, quant=act)]
    graph.nodes[0].inputs[0] = graph.inputs[0]
    graph.nodes[0].outputs = [replace(y, dtype=DType.I8, quant=act)]
    assert DequantizeConstants().run(graph) == 0


def test_constant_of_a_real_and_an_integer_layer() -> None:
    """Each gets its own."""
    graph = network(QuantParams((0.25,)))
    (x,), act = graph.inputs, QuantParams((0.0625,))
    q, z = (Tensor(name, shape, DType.I8, act) for name, shape in (("q", x.shape), ("z", graph.outputs[0].shape)))
    layer = graph.nodes[0]
    twin = replace(layer, inputs=[q, *layer.inputs[1:]], outputs=[z])
    real = Tensor("z_real", z.shape)
    quantizer, back = replace(layer, op=Quantize(), inputs=[x], outputs=[q]), Dequantize()
    graph.nodes = [quantizer, twin, layer, replace(layer, op=back, inputs=[z], outputs=[real])]
    graph.outputs.append(real)
    assert DequantizeConstants().run(graph) == 2
    verify(graph)
    assert twin.inputs[1].dtype is DType.I8 and layer.inputs[1].dtype is DType.F32
    assert {twin.inputs[1].name, layer.inputs[1].name} == {"y_w", "y_w_1"}


@pytest.mark.parametrize("low", [-7, -128])
def test_quantization_finds_the_very_integers(low: int) -> None:
    """Also -128, which its own search for scales never gives."""
    graph = network(QuantParams(SCALES, axis=0), low)
    wanted = graph.nodes[0].inputs[1].const
    DequantizeConstants().run(graph)
    samples = {"x": np.random.default_rng(2).normal(size=(8, 1, 6, 6, 3)).astype(np.float32)}
    quantize(graph, samples, QuantizeOptions())
    weight = next(n for n in graph.nodes if n.op.name == "conv2d").inputs[1]
    assert weight.quant == QuantParams(SCALES, axis=0)
    np.testing.assert_array_equal(weight.const, wanted)
