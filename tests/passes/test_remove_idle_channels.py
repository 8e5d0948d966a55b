"""Channels of real networks that are always zero or that nobody reads go, others stay, and the outputs are the same."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph
from hypothesis import given, settings
from hypothesis import strategies as st

import mcucompile
from mcucompile.ir import Graph, Tensor, graph_text, verify
from mcucompile.ops.add import Add
from mcucompile.ops.concat import Concat
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pad import Pad
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.remove_idle_channels import IdleChannels, RemoveIdleChannels, remove_idle_channels
from mcucompile.reference import evaluate

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def values(net: FloatGraph, tensor: Tensor, index: int) -> np.ndarray:
    """The weights (1) or biases (2) of the layer that makes a tensor, to be written to."""
    found = next(n for n in net.nodes if n.output is tensor).inputs[index].const
    assert found is not None
    return found


def silence(net: FloatGraph, tensor: Tensor, *channels: int) -> None:
    for index in (1, 2):
        values(net, tensor, index)[list(channels)] = 0


def removed(graph: Graph) -> list[IdleChannels]:
    """Run the pass: same outputs but for the order of a sum, and nothing left for a second run."""
    before = copy.deepcopy(graph)
    removals = remove_idle_channels(graph)
    verify(graph)
    rng = np.random.default_rng(0)
    inputs = {t.name: rng.normal(size=t.shape).astype(np.float32) for t in graph.inputs}
    want, got = evaluate(before, inputs), evaluate(graph, inputs)
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6)
    text = graph_text(graph)
    assert RemoveIdleChannels().run(graph) == 0
    assert graph_text(graph) == text
    return list(removals)


def test_zero_and_unread_channels_go() -> None:
    """Channel 2 of 8 is zero, nobody reads channels 5 and 6; the pool and the flattened tensor go along."""
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 8, RELU)
    pooled = net.add("pooled", MaxPool(Window((2, 2), (2, 2))), y)
    scores = net.dense("scores", pooled, 10)
    silence(net, y, 2)
    values(net, scores, 1).reshape(10, 4, 8)[..., [5, 6]] = 0
    graph = net.graph(scores)
    assert removed(graph) == [IdleChannels("y", ("y",), zero=1, unread=2)]
    assert [n.output.shape for n in graph.nodes] == [(1, 4, 4, 5), (1, 2, 2, 5), (1, 20), (1, 10)]


def test_a_layer_that_loses_its_reader_goes_too() -> None:
    """Channel 1 of z is unread, and only it reads channel 3 of y."""
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 6)
    z = net.conv("z", y, 4)
    out = net.conv("out", z, 2)
    values(net, z, 1)[[0, 2, 3], ..., 3] = 0
    values(net, out, 1)[..., 1] = 0
    graph = net.graph(out)
    assert {r.tensor: r.unread for r in removed(graph)} == {"z": 1, "y": 1}


def test_both_operands_of_a_sum_must_be_zero() -> None:
    net = FloatGraph((1, 4, 4, 3))
    a, b = net.conv("a", net.x, 4, RELU), net.conv("b", net.x, 4)
    graph = net.graph(net.conv("out", net.add("sum", Add(), a, b), 2))
    silence(net, a, 0, 1)
    silence(net, b, 1, 2)
    assert removed(graph) == [IdleChannels("a", ("a",), 1, 0), IdleChannels("b", ("b",), 1, 0)]


def test_a_part_of_a_concatenation() -> None:
    net = FloatGraph((1, 4, 4, 3))
    a, b = net.conv("a", net.x, 4), net.conv("b", net.x, 3)
    graph = net.graph(net.conv("out", net.add("both", Concat(3), a, b), 2))
    silence(net, b, 2)
    assert removed(graph) == [IdleChannels("b", ("b",), 1, 0)]


def test_one_channel_stays_where_all_are_zero() -> None:
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 4)
    graph = net.graph(net.conv("out", y, 2))
    silence(net, y, 0, 1, 2, 3)
    removed(graph)
    assert y.shape[-1] == 1


def made_between(kind: str, net: FloatGraph, y: Tensor) -> Tensor:
    """Something that makes other values of zeros."""
    match kind:
        case "bias":
            values(net, y, 2)[1] = 0.5
            return y
        case "sigmoid":
            return net.add("z", Sigmoid(), y)
        case "depthwise":
            return net.depthwise("z", y)
        case _:
            return net.add("z", Pad((0, 1, 1, 0), (0, 1, 1, 0), 1.0), y)


@pytest.mark.parametrize("kind", ["bias", "sigmoid", "depthwise", "pad"])
def test_a_channel_that_becomes_something_stays(kind: str) -> None:
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 4)
    silence(net, y, 1)
    assert removed(net.graph(net.conv("out", made_between(kind, net, y), 2))) == []


def test_the_networks_own_outputs_stay() -> None:
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 4)
    silence(net, y, 1)
    assert removed(net.graph(net.conv("out", y, 2), y)) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 30), st.data())
def test_random_zeros(seed: int, data: st.DataObject) -> None:
    net = FloatGraph((1, 4, 4, 2), seed)
    tensors = [net.conv("t0", net.x, 4, RELU)]
    for i in range(1, 6):
        x = data.draw(st.sampled_from(tensors))
        kind = data.draw(st.sampled_from(["conv", "depthwise", "add", "concat"]))
        peers = [t for t in tensors if t.shape == x.shape]
        if kind == "conv":
            y = net.conv(f"t{i}", x, 4, RELU)
        elif kind == "depthwise":
            y = net.depthwise(f"t{i}", x)
        else:
            y = net.add(f"t{i}", Add() if kind == "add" else Concat(3), x, data.draw(st.sampled_from(peers)))
        tensors.append(y)
    for node in net.nodes:
        for t in node.inputs[1:]:
            if t.const is not None:
                t.const[..., data.draw(st.lists(st.booleans(), min_size=t.shape[-1], max_size=t.shape[-1]))] = 0
    for node in net.nodes:
        if node.op.name == "conv2d":
            silence(net, node.output, *data.draw(st.lists(st.integers(0, 3))))
    removed(net.graph(net.dense("scores", tensors[-1], 3)))


def test_only_a_recipe_that_rewrites_asks_for_it() -> None:
    def names(passes: str) -> list[str]:
        compiled = mcucompile.compile(
            DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz", ranges="minmax", passes=passes
        )
        return [r.name for r in compiled.prepared.records]

    assert "remove_idle_channels" not in names("") + names("cluster")
    found = names("prune_weights=0.1,cluster")
    order = ["remove_idle_channels", "prune_weights", "quantize", "cluster", "remove_channels"]
    assert [n for n in found if n in order] == order
