"""Tensors that never change become constants where an operator takes one, and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from integer_graphs import RELU, IntegerGraph, assert_same_bits

from mcucompile.ir import Graph, Numerics, Tensor, graph_text, verify
from mcucompile.ops.add import Add
from mcucompile.ops.concat import Concat
from mcucompile.ops.mul import Mul
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.options import Options
from mcucompile.passes.fold_known_tensors import FoldKnownTensors, by_channel
from mcucompile.pipeline import prepare


def folded(graph: Graph) -> int:
    before = copy.deepcopy(graph)
    changes = FoldKnownTensors().run(graph)
    verify(graph)
    assert_same_bits(before, graph)
    if not changes:
        assert graph_text(graph) == graph_text(before)
    return changes


def gated(g: IntegerGraph, dead: Sequence[int], op: Add | Mul) -> tuple[Tensor, Tensor]:
    """Squeeze and excitation; the gate, and the product."""
    x = g.input(1, 4, 4, 3)
    gate = g.conv(g.add(ReduceMean((1, 2)), x), 3, clip=RELU, dead=dead)
    return gate, g.add(op, x, gate)


@pytest.mark.parametrize("numerics", Numerics)
@pytest.mark.parametrize("op", [Add(), Mul()], ids=str)
def test_a_gate_that_never_changes(op: Add | Mul, numerics: Numerics) -> None:
    """The zero point: a product with it is known too, and so stays, being an output."""
    g = IntegerGraph(numerics)
    _, y = gated(g, [0, 1, 2], op)
    graph = g.graph(y)
    assert folded(graph) == (1 if isinstance(op, Add) else 0)
    if isinstance(op, Add):
        (node,) = graph.nodes
        assert node.inputs[1].name == "t1_known"
        np.testing.assert_array_equal(node.inputs[1].const, np.full((1, 1, 1, 3), -5, np.int8))


def test_a_gate_that_changes_in_one_channel() -> None:
    g = IntegerGraph()
    assert folded(g.graph(gated(g, [0, 2], Add())[1])) == 0


def test_an_output_stays_computed() -> None:
    g = IntegerGraph()
    gate, y = gated(g, [0, 1, 2], Add())
    graph = g.graph(gate, y)
    assert folded(graph) == 1
    assert [n.op.name for n in graph.nodes] == ["reduce_mean", "conv2d", "add"]


def test_two_known_operands() -> None:
    """Their sum is known, and its reader gets it."""
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, b = (g.conv(x, 3, clip=RELU, dead=[0, 1, 2]) for _ in range(2))
    graph = g.graph(g.add(Add(), g.add(Add(), a, b), x))
    assert folded(graph) == 1
    assert len(graph.nodes) == 1


def test_a_square_of_a_known_tensor() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 3, clip=RELU, dead=[0, 1, 2])
    assert folded(g.graph(g.add(Add(), a, a))) == 0


def test_what_takes_no_constant() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a = g.conv(x, 3, clip=RELU, dead=[0, 1, 2])
    assert folded(g.graph(g.conv(a, 2), g.add(Concat(3), a, x))) == 0


def test_a_real_network(shared_model: Callable[[str], Path]) -> None:
    """Two of its gates are closed for good."""
    prepared = prepare(shared_model("mcunetv2_imagenet_int8"), "net", Options(), None)
    (record,) = [r for r in prepared.records if r.name == "fold_known_tensors"]
    assert record.changes == 2
    assert len(prepared.graph.nodes) == len(prepared.twin.nodes) - 12


def test_only_what_is_the_same_in_every_position_is_kept_by_channel() -> None:
    channels = np.asarray([3, -5, 7], np.int8)
    same = by_channel(np.broadcast_to(channels, (1, 4, 4, 3)))
    assert same is not None
    np.testing.assert_array_equal(same, channels.reshape(1, 1, 1, 3))
    values = np.zeros((1, 4, 4, 3), np.int8)
    values[0, 2, 1, 0] = 1
    assert by_channel(values) is None
