"""The same positions of all filters go; rows, columns and channels of zeros make the layer smaller."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph
from networks_by_hand import outputs, shapes

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, Node, verify
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window
from mcucompile.passes.compress.base import Change
from mcucompile.passes.compress.prune_shapes import PruneShapes, trim

WINDOWS = [
    Window((3, 3), pads=(1, 1, 1, 1)), Window((3, 5), (2, 1), (1, 2, 0, 2)), Window((3, 3), (2, 2), (0, 0, 1, 1)),
    Window((3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)), Window((4, 4), (4, 4)), Window((1, 3), pads=(0, 1, 0, 1)),
]  # fmt: skip


def applied(p: PruneShapes, graph: Graph, samples: dict[str, Array] | None = None) -> tuple[Change, ...]:
    changes = p.apply(graph, [n for n in graph.nodes if p.takes(n)], samples)
    verify(graph)
    return changes


def network(window: Window = WINDOWS[0]) -> tuple[Graph, dict[str, Array]]:
    net = FloatGraph((1, 9, 9, 4))
    a = net.conv("a", net.x, 6, RELU)
    return net.graph(net.conv("y", a, 5, window=window)), net.samples(20)


def values(node: Node) -> Array:
    weight = node.inputs[1].const
    assert weight is not None
    return weight


def with_zeros(node: Node, *places: tuple[object, ...]) -> None:
    changed = values(node).copy()
    for place in places:
        changed[place] = 0
    node.inputs[1] = replace(node.inputs[1], const=changed)


def test_positions_are_the_same_in_all_filters() -> None:
    """A quarter of 36 and of 54; the smallest by weights alone, since there are no samples."""
    graph, _ = network()
    before = copy.deepcopy(graph)
    changes = applied(PruneShapes(0.25), graph)
    assert [sum(c.layer == name for c in changes) for name in ("a", "y")] == [9, 13]
    for old, new in zip(before.nodes, graph.nodes, strict=True):
        energy = np.square(values(old)).sum(axis=0)
        gone = energy <= np.sort(energy.ravel())[int(0.25 * energy.size) - 1]
        np.testing.assert_array_equal(values(new), np.where(gone, 0, values(old)))
    assert changes[0].criterion == "l2" and changes[0].effect is None and changes[0].before == 6


def test_what_the_input_never_fills_goes_first() -> None:
    """Weights of channel 2 are the largest, but it is always zero."""
    net = FloatGraph((1, 6, 6, 4))
    graph = net.graph(net.conv("y", net.conv("a", net.x, 3), 2))
    weight, louder = graph.nodes[0].inputs[1], np.array([1, 1, 99, 1], np.float32)
    graph.nodes[0].inputs[1] = replace(weight, const=values(graph.nodes[0]) * louder)
    samples = net.samples(10)
    samples["x"][..., 2] = 0
    changes = [c for c in applied(PruneShapes(0.25, reconstruct=False), graph, samples) if c.layer == "a"]
    assert len(changes) == 9 and all(c.unit.endswith(", 2)") and c.effect == 0 for c in changes)
    assert not values(graph.nodes[0])[..., 2].any()


def test_fitting_helps() -> None:
    """Where inputs are alike, the positions that stay can say much of what the others did."""
    graph, samples = network()
    samples["x"] = samples["x"][..., :1] + 0.2 * samples["x"]
    want = outputs(graph, samples)
    errors = []
    for reconstruct in (False, True):
        pruned = copy.deepcopy(graph)
        applied(PruneShapes(0.4, reconstruct=reconstruct), pruned, samples)
        errors.append(float(np.square(outputs(pruned, samples) - want).sum()))
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("zeros", ["top", "bottom", "left", "right", "all but one"])
def test_a_smaller_window_gives_the_same(window: Window, zeros: str) -> None:
    """Up to the order of sums; the window shrinks just where the padding allows it."""
    graph, samples = network(window)
    node, (kh, kw) = graph.nodes[1], window.kernel
    every = slice(None)
    place = {
        "top": [(every, 0)], "bottom": [(every, kh - 1)], "left": [(every, every, 0)],
        "right": [(every, every, kw - 1)], "all but one": [(every, i) for i in range(kh) if i != kh // 2],
    }[zeros]  # fmt: skip
    with_zeros(node, *place)
    want = outputs(graph, samples)
    trim(node)
    verify(graph)
    assert isinstance(node.op, Conv2d)
    np.testing.assert_allclose(outputs(graph, samples), want, rtol=1e-5, atol=1e-5)
    first = {"top": (0, 0), "left": (1, 1)}.get(zeros)
    if first:
        axis, side = first
        shrinks = window.pads[side] >= window.dilations[axis] and window.kernel[axis] > 1
        assert node.op.window.kernel[axis] == window.kernel[axis] - shrinks


def test_zeros_inside_stay() -> None:
    graph, _ = network()
    node = graph.nodes[1]
    with_zeros(node, (slice(None), 1), (slice(None), 0, 0, 0))
    trim(node)
    assert node.inputs[1].shape == (5, 3, 3, 6)


def test_a_channel_goes_from_the_layer_before() -> None:
    """Nothing of channels 1 and 4 is read any more."""
    graph, samples = network()
    with_zeros(graph.nodes[1], (..., [1, 4]))
    want = outputs(graph, samples)
    applied(PruneShapes(0.0), graph)
    assert shapes(graph) == {"x": 4, "a": 4, "y": 5}
    np.testing.assert_allclose(outputs(graph, samples), want, rtol=1e-5, atol=1e-6)


def test_a_channel_that_another_layer_reads_stays() -> None:
    net = FloatGraph((1, 9, 9, 4))
    a = net.conv("a", net.x, 6)
    graph = net.graph(net.conv("y", a, 5), net.conv("z", a, 2))
    with_zeros(graph.nodes[1], (..., [1, 4]))
    applied(PruneShapes(0.0), graph)
    assert shapes(graph)["a"] == 6


def test_one_channel_is_left_of_a_dead_layer() -> None:
    graph, _ = network()
    with_zeros(graph.nodes[1], (...,))
    applied(PruneShapes(0.5), graph)
    assert shapes(graph)["a"] == 1


def test_nothing_to_change() -> None:
    net = FloatGraph((1, 9, 9, 4))
    with pytest.raises(CompileError) as error:
        applied(PruneShapes(), net.graph(net.dense("y", net.x, 4)))
    assert error.value.code == "E0206"


def test_options_out_of_range() -> None:
    with pytest.raises(CompileError) as error:
        PruneShapes(1.0)
    assert error.value.code == "E0701"
