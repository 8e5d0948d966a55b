"""What tests of channel removal share: the pass with its promises checked, and random networks to run it on."""

from __future__ import annotations

import copy

import numpy as np
from hypothesis import strategies as st
from integer_graphs import POINT, RELU, RELU6, SAME, IntegerGraph, Q, assert_same_bits

from mcucompile.ir import NO_CLIP, Graph, Numerics, QuantParams, Tensor, graph_text, verify
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.requantize import Requantize
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.remove_channels import Removal, RemoveChannels, remove_channels


def removed(graph: Graph) -> tuple[Removal, ...]:
    """Run the pass: same bits, same boundary, and nothing left for a second run."""
    before = copy.deepcopy(graph)
    removals = remove_channels(graph)
    verify(graph)
    boundary = [(t.name, t.shape, t.quant) for t in (*before.inputs, *before.outputs)]
    assert [(t.name, t.shape, t.quant) for t in (*graph.inputs, *graph.outputs)] == boundary
    assert_same_bits(before, graph)
    text = graph_text(graph)
    assert RemoveChannels().run(graph) == 0
    assert graph_text(graph) == text
    return removals


def stays(graph: Graph) -> bool:
    before = graph_text(graph)
    assert removed(graph) == ()
    return graph_text(graph) == before


def constant_five(g: IntegerGraph) -> Tensor:
    """Channel 1 is 5 above the zero point."""
    weights = g.weights(3, 1, 1, 2)
    weights[1] = 0
    return g.layer(Conv2d(POINT), g.input(1, 6, 6, 2), weights, np.array([0, 2500, 0]), Q, np.full(3, 0.002))


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Layers one after the other and side by side, with channels in them that cannot matter."""
    g = IntegerGraph(draw(st.sampled_from(Numerics)), draw(st.integers(0, 1 << 30)))
    tensors = [g.input(1, 5, 4, draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(2, 7))):
        x = draw(st.sampled_from(tensors[-3:]))
        channels = draw(st.integers(1, 6))
        some = st.lists(st.integers(0, channels - 1), max_size=channels)
        clip = draw(st.sampled_from([NO_CLIP, RELU, RELU6]))
        window = draw(st.sampled_from([POINT, SAME, Window((2, 2), pads=(0, 1, 1, 0))]))
        peers = [t for t in tensors if t.shape == x.shape]
        match draw(st.sampled_from(["conv", "conv", "depthwise", "grouped", "add", "mul", "concat", "pool", "table"])):
            case "conv":
                zero, dead = draw(some), draw(some)
                blind = draw(st.lists(st.integers(0, x.shape[3] - 1), max_size=x.shape[3]))
                y = g.conv(x, channels, window, clip, zero=zero, dead=dead, blind=blind)
            case "depthwise":
                dead = draw(st.lists(st.integers(0, x.shape[3] - 1), max_size=x.shape[3]))
                y = g.depthwise(x, window, clip, dead=dead, multiplier=draw(st.integers(1, 2)))
            case "grouped":
                y = g.conv(x, 2 * x.shape[3], window, clip, groups=x.shape[3], dead=draw(st.sampled_from([(), (0, 1)])))
            case "add":
                y = g.add(Add(clip), x, draw(st.sampled_from(peers)))
            case "mul":
                y = g.add(Mul(clip), x, draw(st.sampled_from([*peers, g.constant(1, 1, 1, x.shape[3])])))
            case "concat":
                y = g.add(Concat(3), x, draw(st.sampled_from(peers)))
            case "pool":
                pool = draw(st.sampled_from([MaxPool, AveragePool]))(Window((2, 3), pads=(1, 1, 0, 1)))
                y = g.add(pool, x)
            case _:
                y = g.add(Sigmoid(), x, quant=QuantParams.per_tensor(1 / 256, -128))
                y = g.add(Requantize(), y, quant=Q)
        tensors.append(y)
    last = tensors[-1]
    flat = g.add(Reshape((1, last.size)), last)
    return g.graph(g.dense(flat, 3, blind=draw(st.lists(st.integers(0, last.size - 1), max_size=last.size))))
