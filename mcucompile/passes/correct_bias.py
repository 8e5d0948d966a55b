"""Empirical bias correction: take from every layer's bias the mean error that quantization adds (Nagel et al. 2019).

    bias[c] -= mean over samples and positions of (integer sum - float sum), before the activation

Layers are corrected in order, each on what the corrected layers before it deliver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..ir import NO_CLIP, Array, Graph, Node, Tensor, centre, constant, saturate
from ..ops.conv2d import Conv2d
from ..ops.dense import Dense
from ..ops.depthwise_conv2d import DepthwiseConv2d
from ..reference import quantized_inputs, run_node
from .calibrate import Runner, Samples, count_of
from .equalize import copy_nodes
from .quantization_rules import Rule, rule

MAX_NBYTES = 384 << 20


@dataclass(eq=False)
class Walk:
    """A graph run node by node over one chunk of samples; a value is dropped after its last use."""

    nodes: list[Node]
    values: dict[Tensor, Array]
    position: int = 0
    last_use: dict[Tensor, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last_use = {t: i for i, n in enumerate(self.nodes) for t in n.activations()}

    def run_until(self, index: int) -> None:
        """Run the nodes before `index` that have not run yet."""
        while self.position < index:
            run_node(self.nodes[self.position], self.values)
            for t in self.nodes[self.position].activations():
                if self.last_use[t] <= self.position:
                    self.values.pop(t, None)
            self.position += 1


class Pair(NamedTuple):
    """The float and the integer network on the same samples."""

    real: Walk
    stored: Walk


def correct_bias(floats: Runner, integers: Runner, samples: Samples) -> Graph:
    """A copy of the integer graph with corrected biases; `floats` runs the float graph that it came from."""
    graph = copy_nodes(integers.graph)
    pairs = [pair_of(floats, integers, part) for part in floats.parts(affordable(floats.graph, samples))]
    places = {n.outputs[0].name: i for i, n in enumerate(floats.graph.nodes)}
    for i, node in enumerate(graph.nodes):
        for pair in pairs:
            pair.stored.run_until(i)
        if rule(node) is Rule.WEIGHTED and node.inputs[0].quant:
            place = places[node.output.name]
            for pair in pairs:
                pair.real.run_until(place)
            node.inputs[2] = corrected(node, mean_error((p.real.nodes[place], p.stored.nodes[i], p) for p in pairs))
            for pair in pairs:
                pair.stored.nodes[i].inputs[2] = node.inputs[2]
    return graph


def affordable(graph: Graph, samples: Samples) -> Samples:
    """As many of the first samples as fit MAX_NBYTES together with what is live in both networks."""
    live = 3 * 5 * max(t.size for t in graph.activations())
    return {name: values[: max(1, MAX_NBYTES // live)] for name, values in samples.items()}


def pair_of(floats: Runner, integers: Runner, part: Samples) -> Pair:
    return Pair(walk(floats, part), walk(integers, quantized_inputs(integers.graph, part)))


def walk(runner: Runner, part: Samples) -> Walk:
    batch = runner.batch(count_of(part))
    return Walk(copy_nodes(batch.graph).nodes, batch.input_values(part))


def mean_error(runs: Iterable[tuple[Node, Node, Pair]]) -> Array:
    """Per output channel, in real units; zero where the activation cuts everything off."""
    total, active = np.zeros(1), np.zeros(1)
    for real, stored, pair in runs:
        want = float_sums(real, pair.real.values)
        got = integer_sums(stored, pair.stored.values)
        axes = tuple(range(want.ndim - 1))
        total = total + (got - want).sum(axis=axes)
        active = active + want.size // want.shape[-1]
    return total / active


def float_sums(node: Node, values: dict[Tensor, Array]) -> Array:
    assert isinstance(node.op, (Conv2d, DepthwiseConv2d, Dense))
    args = [values[t] if t.const is None else t.const for t in node.inputs]
    return replace(node.op, clip=NO_CLIP).reference(*args)[0].astype(np.float64)


def integer_sums(node: Node, values: dict[Tensor, Array]) -> Array:
    """The integer layer's sums before requantization, in real units."""
    x, w, b = node.inputs
    assert isinstance(node.op, (Conv2d, DepthwiseConv2d, Dense)) and x.quant and w.quant
    assert w.const is not None and b.const is not None
    args = (centre(values[x], x.quant.zero), centre(w.const, 0), centre(b.const, 0))
    (acc,) = replace(node.op, clip=NO_CLIP).reference(*args)
    real: Array = acc * np.asarray([x.quant.scale * s for s in w.quant.scales])
    return real


def corrected(node: Node, error: Array) -> Tensor:
    x, w, b = node.inputs
    assert x.quant and w.quant and b.quant and b.const is not None
    steps = np.rint(error / np.asarray([x.quant.scale * s for s in w.quant.scales])).astype(np.int64)
    return constant(b.name, saturate(b.const.astype(np.int64) - steps, b.dtype), b.quant)
