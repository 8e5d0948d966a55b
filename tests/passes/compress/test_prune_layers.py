"""Residual blocks are found, and replaced by an identity or a 1x1 convolution."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph
from networks_by_hand import outputs

from mcucompile.errors import CompileError
from mcucompile.ir import NO_CLIP, Array, Clip, Graph, Node, Tensor, verify
from mcucompile.ops.add import Add
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window
from mcucompile.passes.compress.base import Change
from mcucompile.passes.compress.prune_layers import PruneLayers
from mcucompile.passes.compress.pruning.blocks import By, blocks, replace_block

HALF = Window((3, 3), (2, 2), (1, 1, 1, 1))
POINT_HALF = Window((1, 1), (2, 2))


def applied(p: PruneLayers, graph: Graph, samples: dict[str, Array] | None) -> tuple[Change, ...]:
    changes = p.apply(graph, [n for n in graph.nodes if p.takes(n)], samples)
    verify(graph)
    return changes


def residual(net: FloatGraph, name: str, x: Tensor, size: float = 1.0, clip: Clip = RELU) -> Tensor:
    """y = clip(x + size * conv(relu(conv(x))))"""
    branch = net.conv(f"{name}_b", net.conv(f"{name}_a", x, x.shape[3], RELU), x.shape[3])
    node = net.nodes[-1]
    for i in (1, 2):
        value = node.inputs[i].const
        assert value is not None
        node.inputs[i] = replace(node.inputs[i], const=(value * size).astype(np.float32))
    return net.add(name, Add(clip), x, branch)


def names(graph: Graph) -> list[str]:
    return [n.output.name for n in graph.nodes]


def layer(graph: Graph, name: str) -> Node:
    return next(n for n in graph.nodes if n.output.name == name)


def test_the_block_that_does_least_becomes_an_identity() -> None:
    """Behind a Relu a second one limits nothing, so no node is left of the block."""
    net = FloatGraph((1, 6, 6, 3))
    first = residual(net, "first", net.conv("stem", net.x, 4, RELU))
    second = residual(net, "second", first, size=0.0)
    graph, samples = net.graph(net.dense("scores", second, 5)), net.samples(20)
    want = outputs(graph, samples)
    (change,) = applied(PruneLayers(), graph, samples)
    assert (change.layer, change.unit, change.score) == ("second", "block of 2 operators", 0)
    assert change.before == 2 * (4 * 4 * 9 + 4) and change.after == 0
    assert names(graph) == ["stem", "first_a", "first_b", "first", "scores_flat", "scores"]
    np.testing.assert_array_equal(outputs(graph, samples), want)


def test_the_activation_of_the_sum_stays() -> None:
    """Before this block nothing limits the values."""
    net = FloatGraph((1, 6, 6, 3))
    y = residual(net, "y", net.conv("stem", net.x, 4), size=0.0)
    graph, samples = net.graph(net.dense("scores", y, 5)), net.samples(20)
    want = outputs(graph, samples)
    applied(PruneLayers(), graph, samples)
    assert names(graph) == ["stem", "y", "scores_flat", "scores"] and layer(graph, "y").op.name == "clamp"
    np.testing.assert_array_equal(outputs(graph, samples), want)


def test_a_block_of_another_shape_becomes_a_1x1_convolution() -> None:
    """Its branch is dead, its shortcut a 1x1 convolution: the fit finds just that."""
    net = FloatGraph((1, 7, 7, 3))
    x = net.conv("stem", net.x, 4, RELU)
    branch = net.conv("b", net.conv("a", x, 6, Clip(0.0, 0.0), HALF), 6)
    y = net.add("y", Add(RELU), branch, net.conv("shortcut", x, 6, window=POINT_HALF))
    graph, samples = net.graph(net.dense("scores", y, 5)), net.samples(30)
    want = outputs(graph, samples)
    change, *_ = applied(PruneLayers(), graph, samples)
    op = layer(graph, "y").op
    assert isinstance(op, Conv2d) and (op.window, op.clip) == (Window((1, 1), (2, 2)), RELU)
    assert names(graph) == ["stem", "y", "scores_flat", "scores"] and change.after == 6 * (4 + 1)
    np.testing.assert_allclose(outputs(graph, samples), want, atol=0.01 * np.abs(want).max())


def test_a_1x1_convolution_where_shapes_agree() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = residual(net, "y", net.conv("stem", net.x, 4, RELU))
    graph, samples = net.graph(net.dense("scores", y, 5)), net.samples(20)
    errors = []
    for by in ("identity", "pointwise"):
        (change, *_) = applied(PruneLayers(by=by), copy.deepcopy(graph), samples)  # type: ignore[arg-type]
        errors.append(change.score)
    assert errors[1] < 0.7 * errors[0]


def test_the_layers_after_are_fitted() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = residual(net, "y", net.conv("stem", net.x, 4, RELU))
    graph, samples = net.graph(net.conv("out", y, 5)), net.samples(20)
    want, errors = outputs(graph, samples), []
    for reconstruct in (False, True):
        pruned = copy.deepcopy(graph)
        applied(PruneLayers(reconstruct=reconstruct), pruned, samples)
        errors.append(float(np.square(outputs(pruned, samples) - want).sum()))
    assert errors[1] < 0.7 * errors[0]


def nested() -> tuple[Graph, dict[str, Array]]:
    """A block, inner, in the branch of another one, outer; and last behind them."""
    net = FloatGraph((1, 6, 6, 3))
    x = net.conv("stem", net.x, 4, RELU)
    inner = residual(net, "inner", net.conv("before", x, 4, RELU))
    outer = net.add("outer", Add(RELU), x, net.conv("after", inner, 4))
    return net.graph(net.dense("scores", residual(net, "last", outer), 5)), net.samples(20)


@pytest.mark.parametrize(("replaced", "left"), [("outer", ["last"]), ("inner", ["outer", "last"])])
def test_what_a_replaced_block_leaves_unread_is_no_block_and_hides_none(replaced: str, left: list[str]) -> None:
    graph, samples = nested()
    assert [b.end.output.name for b in blocks(graph)] == ["inner", "outer", "last"]
    block = next(b for b in blocks(graph) if b.end.output.name == replaced)
    replace_block(graph, block, "identity", samples)
    assert [b.end.output.name for b in blocks(graph)] == left


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("by", ["identity", "pointwise"])
def test_values_too_large_to_fit_anything_to(by: By) -> None:
    """float32 cannot hold their products."""
    graph, samples = nested()
    with pytest.raises(CompileError) as error:
        applied(PruneLayers(by=by), graph, {name: values * np.float32(1e25) for name, values in samples.items()})
    assert error.value.code == "E0202"


def test_only_blocks_that_are_there_count() -> None:
    """Whichever goes first, each of the blocks that were asked for took weights away, and none is left in the end."""
    graph, samples = nested()
    size = sum(t.size for t in graph.constants())
    changes = applied(PruneLayers(2, reconstruct=False), graph, samples)
    gone = size - sum(t.size for t in graph.constants())
    assert len(changes) == 2 and sum(c.before - c.after for c in changes) == gone


def test_several_blocks() -> None:
    net = FloatGraph((1, 6, 6, 3))
    x = net.conv("stem", net.x, 4, RELU)
    for i in range(3):
        x = residual(net, f"r{i}", x)
    graph, samples = net.graph(net.dense("scores", x, 5)), net.samples(20)
    changes = applied(PruneLayers(2, reconstruct=False), graph, samples)
    assert len(changes) == 2 and len(list(blocks(graph))) == 1
    with pytest.raises(CompileError) as error:
        applied(PruneLayers(2), graph, samples)
    assert error.value.code == "E0206"


def test_only_the_named_blocks() -> None:
    net = FloatGraph((1, 6, 6, 3))
    first = residual(net, "first", net.conv("stem", net.x, 4, RELU), size=0.0)
    second = residual(net, "second", first)
    graph, samples = net.graph(net.dense("scores", second, 5)), net.samples(20)
    (change, *_) = PruneLayers().apply(graph, [layer(graph, "second")], samples)
    assert change.layer == "second"


def not_a_block(kind: str) -> tuple[Graph, dict[str, Array]]:
    net = FloatGraph((1, 6, 6, 4))
    x = net.conv("stem", net.x, 4, RELU)
    inner = net.conv("inner", x, 4)
    match kind:
        case "read elsewhere":
            y = net.add("y", Add(), x, net.conv("c", inner, 4))
            return net.graph(net.dense("scores", y, 5), net.conv("other", inner, 2)), net.samples(5)
        case "an output":
            y = net.add("y", Add(), x, net.conv("c", inner, 4))
            return net.graph(net.dense("scores", y, 5), inner), net.samples(5)
        case "two inputs":
            other = Tensor("z", (1, 6, 6, 4))
            y = net.add("y", Add(), other, inner)
            graph = net.graph(net.dense("scores", y, 5))
            graph.inputs.append(other)
            return graph, {**net.samples(5), "z": net.samples(5)["x"]}
        case _:  # a sum of a tensor with itself has nothing between
            return net.graph(net.dense("scores", net.add("y", Add(), inner, inner), 5)), net.samples(5)


@pytest.mark.parametrize("kind", ["read elsewhere", "an output", "two inputs", "itself"])
def test_what_is_no_block(kind: str) -> None:
    graph, samples = not_a_block(kind)
    with pytest.raises(CompileError) as error:
        applied(PruneLayers(), graph, samples)
    assert error.value.code == "E0206"


def test_an_output_of_the_network_keeps_its_name() -> None:
    net = FloatGraph((1, 6, 6, 3))
    y = residual(net, "y", net.conv("stem", net.x, 4, NO_CLIP), size=0.0, clip=NO_CLIP)
    graph, samples = net.graph(y), net.samples(20)
    want = outputs(graph, samples)
    applied(PruneLayers(), graph, samples)
    assert [t.name for t in graph.outputs] == ["y"]
    np.testing.assert_array_equal(outputs(graph, samples), want)


def test_samples_are_needed() -> None:
    net = FloatGraph((1, 6, 6, 3))
    graph = net.graph(residual(net, "y", net.conv("stem", net.x, 4)))
    with pytest.raises(CompileError) as error:
        applied(PruneLayers(), graph, None)
    assert error.value.code == "E0201"


def test_options_out_of_range() -> None:
    with pytest.raises(CompileError) as error:
        PruneLayers(0)
    assert error.value.code == "E0701"
