"""Ranges hold for every input, and are no wider than they must be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from integer_graphs import POINT, RELU, SAME, IntegerGraph, Q, extreme_inputs
from removing import networks

from mcucompile.ir import DType, Graph, Numerics, QuantParams
from mcucompile.ops.add import Add
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.hard_swish import HardSwish
from mcucompile.ops.max import Max
from mcucompile.ops.mul import Mul
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.sub import Sub
from mcucompile.passes.channels.ranges import Range, node_ranges, ranges_of
from mcucompile.reference import trace


@settings(max_examples=60, deadline=None)
@given(networks())
def test_no_value_is_ever_outside(graph: Graph) -> None:
    ranges = ranges_of(graph)
    for inputs in extreme_inputs(graph, 12):
        for t, value in trace(graph, inputs).items():
            assert (value >= ranges[t].low).all() and (value <= ranges[t].high).all(), t.name


@pytest.mark.parametrize("numerics", Numerics)
@pytest.mark.parametrize("op", [Add(), Sub(), Mul(), Max(), Add(RELU)], ids=str)
def test_both_ends_are_reached(op: Add | Sub | Mul | Max, numerics: Numerics) -> None:
    """Against all 2**16 pairs of operands, which a layer of one weight gives all."""
    g = IntegerGraph(numerics)
    x, y = g.input(256, 1), g.input(256, 1)
    graph = g.graph(g.add(op, x, y, quant=Q if isinstance(op, Max) else QuantParams.per_tensor(0.2, 3)))
    stored = np.arange(-128, 128, dtype=np.int8)[:, None]
    every = [trace(graph, {"x0": np.full_like(stored, v), "x1": stored})[graph.outputs[0]] for v in range(-128, 128)]
    found = ranges_of(graph)[graph.outputs[0]]
    assert (found.low == np.min(every)).all() and (found.high == np.max(every)).all()


@pytest.mark.parametrize("numerics", Numerics)
def test_of_a_layer(numerics: Numerics) -> None:
    """Against every input of two channels at their ends, where sums are largest."""
    g = IntegerGraph(numerics)
    graph = g.graph(g.conv(g.input(1, 1, 1, 2), 16))
    ends = [np.array(v, np.int8).reshape(1, 1, 1, 2) for v in product((-128, 127), repeat=2)]
    every = [trace(graph, {"x0": v})[graph.outputs[0]] for v in ends]
    found = ranges_of(graph)[graph.outputs[0]]
    np.testing.assert_array_equal(found.low, np.min(every, axis=0))
    np.testing.assert_array_equal(found.high, np.max(every, axis=0))


def test_a_border_sees_less() -> None:
    g = IntegerGraph()
    weights = np.ones((1, 3, 3, 1), int)
    graph = g.graph(g.layer(Conv2d(SAME), g.input(1, 3, 3, 1), weights, np.zeros(1), scales=np.array([0.01])))
    found = ranges_of(graph)[graph.outputs[0]]  # 0.01 per tap of at most 132 steps: 5.28 of four, 11.88 of nine
    assert [int(found.high[0, i, j, 0]) + 5 for i, j in ((0, 0), (0, 1), (1, 1))] == [5, 8, 12]


@pytest.mark.parametrize("op", [HardSwish(), Sigmoid()], ids=str)
@pytest.mark.parametrize("bounds", [(-128, 127), (-60, -20), (-70, 30), (3, 3)])
def test_of_a_table(op: HardSwish | Sigmoid, bounds: tuple[int, int]) -> None:
    """A curve that falls and rises has its extremes anywhere between."""
    g = IntegerGraph()
    x = g.input(1, 1)
    graph = g.graph(g.add(op, x, quant=QuantParams.per_tensor(0.02, -20)))
    node = graph.nodes[0]
    at = [node.op.reference_int(node, np.array([[q]], np.int8))[0].item() for q in range(bounds[0], bounds[1] + 1)]
    (found,) = node_ranges(node, {x: Range(np.full((1, 1), bounds[0]), np.full((1, 1), bounds[1]))})
    assert (found.low.item(), found.high.item()) == (min(at), max(at))


def test_what_is_not_known_has_the_range_of_its_type() -> None:
    g = IntegerGraph()
    wide = QuantParams.per_tensor(0.001, 0, DType.I16)
    a = g.conv(g.input(1, 2, 2, 3), 3, POINT, RELU, dead=[1])
    graph = g.graph(
        g.add(Softmax(3), a, quant=QuantParams.per_tensor(1 / 256, -128)),
        g.add(HardSwish(), g.input(1, 2, quant=wide)),
        g.add(ReduceMean((3,)), a),
    )
    ranges = ranges_of(graph)
    found = [(int(ranges[t].low.min()), int(ranges[t].high.max())) for t in graph.outputs]
    assert found[:2] == [(-128, 127), (-(1 << 15), (1 << 15) - 1)]
    assert found[2][0] == -5
