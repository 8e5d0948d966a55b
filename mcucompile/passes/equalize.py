"""Cross-layer equalization: give the channels between two layers similar ranges (Nagel et al. 2019).

    %y = relu(conv(%x, %w1)); %z = conv(%y, %w2)   -->   the same with %w1[c] / s[c] and %w2[.., c] * s[c]

Exact on real numbers, since what stands between (Relu, pools, reshapes) commutes with a positive factor per channel.
Layers whose weights are on a grid stay as they are.
Activations have one scale per tensor, so a channel of small values gains resolution when it is stretched; the second
layer's weights lose what the activations gain. With a = the channel's largest activation and w = its largest weight in
the second layer, s = sqrt(a / w) balances both (SmoothQuant, Xiao et al. 2023, with alpha = 1/2). A depthwise second
layer has a weight scale per channel and loses nothing: there s = a, and all channels fill the range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Graph, Node, Tensor, constant
from ..ops.weighted import Weighted
from .fold_batchnorm import float_layer

LARGEST = 64.0  # by which a channel is stretched


@dataclass(frozen=True, eq=False)
class Pair:
    """Two layers with nothing but channel-wise homogeneous operators between; `after` reads channels `repeat` times."""

    before: Node
    after: Node
    repeat: int


def equalize(graph: Graph, reach: Mapping[Tensor, Array]) -> Graph | None:
    """A copy of the float graph with equalized layers, or None when there is no pair of layers.

    `reach` has the largest magnitude per channel of each layer's output on the calibration samples.
    """
    result = copy_nodes(graph)
    originals = dict(zip(result.nodes, graph.nodes, strict=True))
    pairs = list(layer_pairs(result))
    for pair in pairs:
        stretch(result, pair, reach[originals[pair.before].output])
    return result if pairs else None


def copy_nodes(graph: Graph) -> Graph:
    """A graph with its own nodes over the same tensors."""
    nodes = [replace(n, inputs=list(n.inputs), outputs=list(n.outputs)) for n in graph.nodes]
    return Graph(graph.name, list(graph.inputs), list(graph.outputs), nodes, graph.numerics)


def layer_pairs(graph: Graph) -> Iterator[Pair]:
    for before in graph.nodes:
        op = float_layer(before)
        if op is None or not op.clip.is_homogeneous or before.inputs[1].grid:
            continue
        channels, repeat, tensor = before.output.shape[-1], 1, before.output
        reader = graph.only_reader(tensor)
        while reader and commutes(reader, channels):
            tensor = reader.output
            repeat = tensor.shape[-1] // channels
            reader = graph.only_reader(tensor)
        if reader and float_layer(reader) and reader.inputs[0] is tensor and not reader.inputs[1].grid:
            yield Pair(before, reader, repeat)


def commutes(node: Node, channels: int) -> bool:
    """Whether a positive factor per channel may be applied before or after; channels stay innermost."""
    return all(t.const is None for t in node.inputs) and node.op.is_homogeneous(node, channels)


def stretch(graph: Graph, pair: Pair, reach: Array) -> None:
    factor = balance(reach.astype(np.float64), input_reach(pair))
    _, w1, b1 = pair.before.inputs
    _, w2, _ = pair.after.inputs
    first, second = pair.before.op, pair.after.op
    assert isinstance(first, Weighted) and isinstance(second, Weighted)
    assert w1.const is not None and b1.const is not None and w2.const is not None
    change(graph, pair.before, 1, w1.const / first.along_outputs(w1.shape, factor))
    change(graph, pair.before, 2, b1.const / factor)
    change(graph, pair.after, 1, w2.const * second.per_input(w2.shape, np.tile(factor, pair.repeat)))


def change(graph: Graph, node: Node, index: int, values: Array) -> None:
    old = node.inputs[index]
    name = old.name if len(graph.readers(old)) == 1 else graph.fresh_name(old.name)
    node.inputs[index] = constant(name, values.astype(np.float32))


def input_reach(pair: Pair) -> Array | None:
    """The largest weight of the second layer on each channel; None where the layer's scales are per input channel."""
    op, weight = pair.after.op, pair.after.inputs[1].const
    assert isinstance(op, Weighted) and weight is not None
    reach = op.input_reach(np.abs(weight.astype(np.float64)))
    return None if reach is None else reach.reshape(pair.repeat, -1).max(axis=0)


def balance(activation: Array, weight: Array | None) -> Array:
    """The factor per channel, such that the tensor's range stays; 1 for channels that are always zero."""
    factor = activation if weight is None else np.sqrt(activation / np.where(weight > 0, weight, np.inf))
    live = factor > 0
    stretched = np.where(live, activation / np.where(live, factor, 1.0), 0.0)
    scale = stretched.max(initial=0.0) / max(float(activation.max(initial=0.0)), 1e-30)
    return np.where(live, np.maximum(factor * scale, 1 / LARGEST), 1.0)
