"""Empirical bias correction: take from every layer's bias the mean error that quantization adds (Nagel et al. 2019).

    bias[c] -= mean over samples and positions of (integer sum - float sum), before the activation

Layers are corrected in order, each on what the corrected layers before it deliver. Sums are linear in a layer's input,
so that the mean sum is the sum of the mean input: one run of the integer network is all that it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ir import NO_CLIP, Array, Graph, Node, ScaleRule, Tensor, constant, saturate
from ..ops.weighted import Weighted
from ..reference import quantized_inputs, run_node
from .calibrate import Observation, Runner, Samples, count_of, sample_mean
from .equalize import copy_nodes
from .fuse_clip import with_clip
from .quantization_rules import rule


@dataclass(eq=False)
class Walk:
    """A graph run node by node over one chunk of samples; a value is dropped after its last use."""

    nodes: list[Node]
    values: dict[Tensor, Array]
    count: int
    last_use: dict[Tensor, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last_use = {t: i for i, n in enumerate(self.nodes) for t in n.activations()}

    def step(self, index: int) -> None:
        node = self.nodes[index]
        run_node(node, self.values)
        for t in node.activations():
            if self.last_use[t] == index:
                self.values.pop(t, None)


def correct_bias(graph: Graph, observed: Mapping[Tensor, Observation], integers: Runner, samples: Samples) -> Graph:
    """A copy of the integer graph with corrected biases. `graph` is the float graph that it came from, and observed."""
    result = copy_nodes(integers.graph)
    walks = [walk(integers, part) for part in integers.parts(quantized_inputs(integers.graph, samples))]
    originals = {n.outputs[0].name: n for n in graph.nodes}
    for i, node in enumerate(result.nodes):
        if rule(node) is ScaleRule.WEIGHTED and node.inputs[0].quant:
            original = originals[node.output.name]
            error = mean_error(original, observed[original.inputs[0]].mean, node, mean_input(walks, i, node))
            if error is not None:
                node.inputs[2] = corrected(node, error)
        for w in walks:
            w.nodes[i].inputs[2:] = node.inputs[2:] if rule(node) is ScaleRule.WEIGHTED else w.nodes[i].inputs[2:]
            w.step(i)
    return result


def walk(integers: Runner, part: Samples) -> Walk:
    batch = integers.batch(count_of(part))
    return Walk(copy_nodes(batch.graph).nodes, batch.input_values(part), count_of(part))


def mean_input(walks: Sequence[Walk], index: int, node: Node) -> Array | None:
    """The mean stored input of a layer, less the zero point."""
    x = node.inputs[0]
    assert x.quant
    parts = [sample_mean(x, w.values[w.nodes[index].inputs[0]], w.count) for w in walks]
    total = sum(w.count for w in walks)
    sums = [part * (w.count / total) for part, w in zip(parts, walks, strict=True) if part is not None]
    return np.sum(sums, axis=0) - x.quant.zero if len(sums) == len(walks) else None


def mean_error(real: Node, mean_real: Array | None, stored: Node, mean_stored: Array | None) -> Array | None:
    """Per output channel, in real units: the integer layer's mean sum less the float layer's."""
    if mean_real is None or mean_stored is None:
        return None
    want, got = mean_sums(real, mean_real), mean_sums(stored, mean_stored) * sum_scales(stored)
    error: Array = (got - want).mean(axis=tuple(range(want.ndim - 1)))
    return error


def mean_sums(layer: Node, mean: Array) -> Array:
    """What the layer makes of its mean input, without its activation."""
    assert isinstance(layer.op, Weighted)
    weights = [t.const.astype(np.float64) for t in layer.inputs[1:] if t.const is not None]
    return with_clip(layer.op, NO_CLIP).reference(mean, *weights)[0]


def sum_scales(layer: Node) -> Array:
    """The real value of 1 in the layer's sums, per output channel."""
    x, w = layer.inputs[0].quant, layer.inputs[1].quant
    assert x and w
    return x.scale * np.asarray(w.scales)


def corrected(layer: Node, error: Array) -> Tensor:
    bias = layer.inputs[2]
    assert bias.const is not None
    steps = np.rint(error / sum_scales(layer)).astype(np.int64)
    return constant(bias.name, saturate(bias.const.astype(np.int64) - steps, bias.dtype), bias.quant)
