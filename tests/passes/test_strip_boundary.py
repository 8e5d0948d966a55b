"""Quantization at the ends of the graph is left to the caller, where nobody else needs it."""

import copy

import numpy as np
from sketch import Q2, Q, Sketch, names

from mcucompile.ir import Clip, Graph, verify
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.passes.strip_boundary import StripBoundary
from mcucompile.reference import evaluate

RELU = Clamp(Clip(0.0))


def stripped(graph: Graph) -> Graph:
    StripBoundary().run(graph)
    verify(graph)
    return graph


def test_both_ends() -> None:
    s = Sketch()
    x = s.quantize(s.input(2, 3))
    before = s.done(s.dequantize(s.add(RELU, x)))
    y_name = before.outputs[0].name
    graph = stripped(copy.deepcopy(before))
    assert names(graph) == ["clamp"]
    assert (graph.inputs[0].name, graph.inputs[0].quant) == ("x", Q)
    assert (graph.outputs[0].name, graph.outputs[0].quant) == (y_name, Q)
    real = np.asarray([[-1, 0.33, 2], [7, -0.01, 0.5]], np.float32)
    (wanted,) = evaluate(before, {"x": real}).values()
    (found,) = evaluate(graph, {"x": Q.quantize(real)}).values()
    np.testing.assert_array_equal(Q.dequantize(found), wanted)


def test_an_input_that_is_quantized_twice_in_one_way() -> None:
    s = Sketch()
    x = s.input(2, 3)
    graph = stripped(s.done(s.add(RELU, s.quantize(x)), s.add(RELU, s.quantize(x))))
    assert names(graph) == ["clamp", "clamp"] and graph.inputs[0].quant == Q


def test_not_an_input_that_is_also_read_as_it_is() -> None:
    s = Sketch()
    x = s.input(2, 3)
    graph = stripped(s.done(s.add(RELU, s.quantize(x)), s.add(Sigmoid(), x)))
    assert names(graph) == ["quantize", "clamp", "sigmoid"] and graph.inputs[0].quant is None


def test_not_an_input_that_is_quantized_in_two_ways() -> None:
    s = Sketch()
    x = s.input(2, 3)
    graph = stripped(s.done(s.add(RELU, s.quantize(x)), s.add(RELU, s.quantize(x, Q2))))
    assert graph.inputs[0].quant is None


def test_not_an_input_that_is_an_output_too() -> None:
    s = Sketch()
    x = s.input(2, 3)
    assert stripped(s.done(s.add(RELU, s.quantize(x)), x)).inputs[0].quant is None


def test_not_an_input_that_nobody_reads() -> None:
    s = Sketch()
    s.input(2, 3)
    y = s.add(RELU, s.input(2, 3, name="z"))
    assert stripped(s.done(y)).inputs[0].quant is None


def test_not_an_input_whose_quantization_is_the_output() -> None:
    s = Sketch()
    graph = stripped(s.done(s.quantize(s.input(2, 3))))
    assert names(graph) == ["quantize"]


def test_not_an_output_dequantized_from_an_input() -> None:
    s = Sketch()
    assert names(stripped(s.done(s.dequantize(s.input(2, 3, quant=Q))))) == ["dequantize"]


def test_not_an_output_whose_stored_form_is_an_output_too() -> None:
    s = Sketch()
    q = s.add(RELU, s.input(2, 3, quant=Q))
    assert names(stripped(s.done(q, s.dequantize(q)))) == ["clamp", "dequantize"]


def test_an_output_that_others_read_too() -> None:
    s = Sketch()
    real = s.dequantize(s.add(RELU, s.input(2, 3, quant=Q)))
    graph = s.done(real, s.add(Sigmoid(), real))
    name = real.name
    stripped(graph)
    assert names(graph) == ["clamp", "dequantize", "sigmoid"]
    assert (graph.outputs[0].name, graph.outputs[0].quant) == (name, Q)
