"""Channels that never matter go through everything that works channel by channel, and through nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from integer_graphs import POINT, RELU, RELU6, SAME, IntegerGraph, Q, shapes
from removing import constant_five, removed, stays

from mcucompile.ir import Graph, Node, Numerics, Op, QuantParams, Tensor, constant, graph_text
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.hard_swish import HardSwish
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.pad import Pad
from mcucompile.ops.prelu import PRelu
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.requantize import Requantize
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.resize import Resize
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.slice import Slice
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.split import Split
from mcucompile.ops.transpose import Transpose
from mcucompile.ops.window import Window
from mcucompile.passes.remove_channels import remove_channels

CHANNELWISE: list[Op] = [
    MaxPool(Window((2, 2), (2, 2))), AveragePool(Window((3, 3), (2, 2), (1, 1, 1, 1))), HardSwish(), Sigmoid(),
    Clamp(RELU6), Requantize(), Resize((2, 3)), ReduceMean((1, 2)), Pad((0, 1, 2, 0), (0, 0, 1, 0)),
    Transpose((0, 2, 1, 3)), Slice((0, 1, 0, 0), (1, 2, 4, 5), (1, 2, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("numerics", Numerics)
@pytest.mark.parametrize("op", CHANNELWISE, ids=lambda op: op.name)
def test_through_what_works_channel_by_channel(op: Op, numerics: Numerics) -> None:
    g = IntegerGraph(numerics)
    a = g.conv(g.input(1, 5, 4, 3), 5, clip=RELU, dead=[0, 3])
    rescales = isinstance(op, HardSwish | Sigmoid | Requantize)
    b = g.add(op, a, quant=QuantParams.per_tensor(0.07, -100) if rescales else None)
    graph = g.graph(g.conv(b, 2, blind=[1]))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t1"][3] == 2


def test_depthwise_with_several_filters_per_channel() -> None:
    """One filter that matters keeps its neighbour, since all channels have as many."""
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 3)
    graph = g.graph(g.conv(g.depthwise(a, multiplier=2, clip=RELU, dead=[0, 1, 3]), 2))
    removed(graph)
    assert shapes(graph)["t0"][3] == 2 and shapes(graph)["t1"][3] == 4


def test_a_group_goes_as_a_whole() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 6)
    b = g.conv(a, 9, SAME, RELU, groups=3, dead=[3, 4, 5, 8])
    graph = g.graph(g.conv(b, 2))
    removed(graph)
    op = graph.nodes[1].op
    assert isinstance(op, Conv2d) and op.groups == 2
    assert shapes(graph)["t0"][3] == 4 and shapes(graph)["t1"][3] == 6


def test_both_sides_of_an_addition_or_neither() -> None:
    for dead, left in (([1], 3), ([0, 2], 4), ([0, 1], 2)):
        g = IntegerGraph()
        x = g.input(1, 4, 4, 3)
        a, b = g.conv(x, 4, clip=RELU, dead=[0, 1]), g.conv(x, 4, clip=RELU, dead=dead)
        graph = g.graph(g.conv(g.add(Add(), a, b), 2))
        removed(graph)
        assert {shapes(graph)[t.name][3] for t in (a, b)} == {left if dead != [0, 2] else 3}


def test_a_side_of_an_addition_that_another_node_reads() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, b = g.conv(x, 4), g.conv(x, 4)
    y = g.conv(g.add(Add(), a, b), 2, blind=[1])
    assert stays(g.graph(y, g.conv(a, 2)))


def test_an_addition_that_is_limited_to_a_constant() -> None:
    """Both operands are read by it alone, so that their channel is not read at all."""
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    bias = np.array([0, -133 * 127 * 3, 0, 0])  # never above zero, but not constant
    sides = [g.layer(Conv2d(POINT), x, g.weights(4, 1, 1, 3), bias) for _ in range(2)]
    graph = g.graph(g.conv(g.add(Add(RELU), *sides, quant=Q), 2))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t2"][3] == 3


def test_a_product_with_zero() -> None:
    """A gate of zero closes its channel, whatever comes."""
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, gate = g.conv(x, 4), g.conv(g.add(ReduceMean((1, 2)), x), 4, clip=RELU, dead=[2])
    graph = g.graph(g.conv(g.add(Mul(), a, gate), 2, SAME))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t2"][3] == 3


def test_a_constant_operand_loses_its_channels() -> None:
    for shape in ((1, 1, 1, 4), (1, 4, 4, 1), (1, 1, 1, 1)):
        g = IntegerGraph()
        a = g.conv(g.input(1, 4, 4, 3), 4, clip=RELU, dead=[2])
        graph = g.graph(g.conv(g.add(Mul(), a, g.constant(*shape)), 2))
        removed(graph)
        assert shapes(graph)["t1"][3] == 3


def test_an_operand_of_one_channel_for_all_stays() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    graph = g.graph(g.conv(g.add(Mul(), g.conv(x, 4, clip=RELU, dead=[2]), g.conv(x, 1)), 2))
    assert stays(graph)


def test_concatenation_and_its_parts() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, b = g.conv(x, 4, clip=RELU, dead=[2]), g.conv(x, 3)
    graph = g.graph(g.conv(g.add(Concat(3), a, b), 2, blind=[4]))
    removed(graph)
    assert [shapes(graph)[f"t{i}"][3] for i in range(3)] == [3, 2, 5]


def test_concatenation_along_rows() -> None:
    """A channel goes from both or from neither."""
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, b = g.conv(x, 4, clip=RELU, dead=[1, 2]), g.conv(x, 4, clip=RELU, dead=[2, 3])
    graph = g.graph(g.conv(g.add(Concat(1), a, b), 2))
    removed(graph)
    assert [shapes(graph)[f"t{i}"][3] for i in range(3)] == [3, 3, 3]


def test_split_and_its_parts() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 6, clip=RELU, dead=[0, 5])
    b, c = g.adds(Split(3, (4, 2)), a)
    graph = g.graph(g.conv(b, 2, blind=[1]), g.conv(c, 2))
    removed(graph)
    assert [shapes(graph)[n][3] for n in ("t0", "t1", "t1_1")] == [3, 2, 1]


def test_channels_that_padding_adds() -> None:
    """They go when nobody reads them, and those inside keep their places."""
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 4, clip=RELU, dead=[2])
    padded = g.add(Pad((0, 0, 0, 2), (0, 1, 0, 3), value=0.5), a)
    graph = g.graph(g.conv(padded, 2, SAME, blind=[1, 4, 6]))  # whose borders tell a constant from no constant
    removed(graph)
    op = graph.nodes[1].op
    assert isinstance(op, Pad) and (op.begins, op.ends) == ((0, 0, 0, 1), (0, 1, 0, 2))
    assert shapes(graph)["t0"][3] == 3


def test_slice_of_channels() -> None:
    """Channels outside the slice are not read; the slice starts where its first channel now is."""
    for step, left in ((1, (3, 2)), (2, (8, 3))):
        g = IntegerGraph()
        x = g.input(1, 4, 4, 3)
        a = g.conv(x, 8, clip=RELU, dead=[4])
        sliced = g.add(Slice((0, 0, 0, 2), (1, 4, 4, 3), (1, 1, 1, step)), a)
        graph = g.graph(g.conv(sliced, 2), *([g.conv(a, 1, blind=[0, 2, 3, 4, 5, 6, 7])] if step == 1 else []))
        removed(graph)
        assert (shapes(graph)["t0"][3], shapes(graph)["t1"][3]) == left


def test_before_a_fully_connected_layer() -> None:
    """Flattened, a channel is one entry per position; it goes when none of them matters."""
    g = IntegerGraph()
    a = g.conv(g.input(1, 2, 2, 3), 3, clip=RELU, dead=[0])
    entries = g.add(Reshape((1, 12)), a)
    graph = g.graph(g.dense(entries, 4, blind=[1, 4, 7, 5]))
    removed(graph)
    assert [shapes(graph)[n] for n in ("t0", "t1")] == [(1, 2, 2, 2), (1, 8)]


def test_a_flattened_constant_may_differ_by_position() -> None:
    g = IntegerGraph()
    entries = g.add(Reshape((1, 108)), g.depthwise(constant_five(g)))
    graph = g.graph(g.dense(entries, 4))
    removed(graph)
    assert shapes(graph)["t2"] == (1, 72)


@pytest.mark.parametrize("op", [Softmax(3), Transpose((0, 3, 1, 2)), ReduceMean((3,))])
def test_what_mixes_or_moves_channels_keeps_them(op: Op) -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 4, clip=RELU, dead=[1])
    quant = QuantParams.per_tensor(1 / 256, -128) if isinstance(op, Softmax) else None
    assert stays(g.graph(g.conv(g.add(op, a, quant=quant), 2)))


def test_slopes_per_channel_go_with_their_channels() -> None:
    g = IntegerGraph()
    sloped = g.add(PRelu((0.1, 0.2, 0.3), 3), g.conv(g.input(1, 4, 4, 3), 3))
    graph = g.graph(g.conv(sloped, 2, blind=[1]))
    removed(graph)
    op = graph.nodes[1].op
    assert isinstance(op, PRelu) and op.fixed
    assert op.slopes == (0.1, 0.3) and len(op.fixed.negative) == 2 and shapes(graph)["t0"][3] == 2


def test_slopes_per_row_stay() -> None:
    g = IntegerGraph()
    sloped = g.add(PRelu((0.1, 0.2, 0.3, 0.4), 1), g.conv(g.input(1, 4, 4, 3), 3))
    graph = g.graph(g.conv(sloped, 2, blind=[1]))
    removed(graph)
    assert graph.nodes[1].op.infer((1, 4, 4, 2)) == ((1, 4, 4, 2),) and shapes(graph)["t0"][3] == 2


def test_real_numbers_stay() -> None:
    weights = constant("w", np.zeros((3, 1, 1, 2), np.float32))
    x, y, z = Tensor("x", (1, 2, 2, 2)), Tensor("y", (1, 2, 2, 3)), Tensor("z", (1, 2, 2, 3))
    first = Node(Conv2d(POINT), [x, weights, constant("b", np.zeros(3, np.float32))], [y])
    last = constant("v", np.ones((3, 1, 1, 3), np.float32))
    second = Node(Conv2d(POINT), [y, last, constant("c", np.zeros(3, np.float32))], [z])
    graph = Graph("net", [x], [z], [first, second])
    before = graph_text(graph)
    assert remove_channels(graph) == () and graph_text(graph) == before
