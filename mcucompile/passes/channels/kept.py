"""Which channels matter to a network's outputs, and what those that do not matter add to the sums they leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...ir import Array, Graph, Node, Tensor
from ...ops.weighted import Weighted
from .links import Link, links_of, mixes
from .ranges import Range, Ranges, is_stored


@dataclass(frozen=True, eq=False)
class Reading:
    """How the sums of a node that mixes use its input channels: [output channels, input channels].

    Where `reads` is False, the input channel adds `amounts` to the sum, always and at every position.
    """

    reads: Array
    amounts: Array


def reading_of(node: Node, x: Range) -> Reading:
    """A constant channel adds the same everywhere, unless padding takes a part of it away at the borders."""
    weights, bias = node.inputs[1].const, node.inputs[2].const
    assert weights is not None and bias is not None
    by_channel = weights.reshape(len(weights), -1, weights.shape[-1])
    reads = (by_channel != 0).any(axis=1)
    amounts = np.zeros(reads.shape, np.int64)
    for c in np.flatnonzero(constant_channels(x) & reads.any(axis=0)):
        added = contribution(node, x, int(c))
        reads[:, c] = (added != added[0]).any(axis=0)
        amounts[:, c] = np.where(reads[:, c], 0, added[0])
    limits = np.iinfo(bias.dtype)
    if (np.abs(bias.astype(np.int64)) + np.abs(amounts).sum(axis=1)).max() > limits.max:
        return Reading((by_channel != 0).any(axis=1), np.zeros(reads.shape, np.int64))
    return Reading(reads, amounts)


def contribution(node: Node, x: Range, channel: int) -> Array:
    """What one constant input channel adds: [positions, output channels]."""
    weights, quant = node.inputs[1].const, node.inputs[0].quant
    assert weights is not None and quant
    one = slice(channel, channel + 1)
    zeros = np.zeros(len(weights), np.int64)
    op = node.op
    (added,) = op.reference(x.low[..., one] - quant.zero, weights[..., one].astype(np.int64), zeros)
    return added.reshape(-1, len(weights))


def constant_channels(x: Range) -> Array:
    """Channels that are constant at every position, though perhaps not the same at all."""
    constant = x.is_constant
    return np.asarray(constant.reshape(-1, constant.shape[-1]).all(axis=0))


class Kept:
    """The smallest set of channels without which no output can be computed; at least one of every tensor."""

    def __init__(self, graph: Graph, ranges: Ranges) -> None:
        self.graph = graph
        self.of = {t: np.zeros(t.shape[-1:], bool) for t in graph.activations()}
        self.readings = {n: reading_of(n, ranges[n.inputs[0]]) for n in graph.nodes if is_layer(n) and mixes(n)}
        self.links: dict[Node, list[Link]] = {}
        for node in graph.nodes:
            links = [] if node in self.readings else links_of(node) if is_stored(node) else None
            if links is None:
                self.keep([*node.activations(), *node.outputs])
            self.links[node] = links or []
        self.keep([*graph.inputs, *graph.outputs])
        self._settle()

    def keep(self, tensors: Iterable[Tensor]) -> None:
        for t in tensors:
            self.of[t][...] = True

    def _settle(self) -> None:
        """Until nothing grows. The first channel stands in where none matters: tensors are not empty."""
        while self._grow() or self._fill():
            pass

    def _grow(self) -> bool:
        before = self.count
        for node in [*reversed(self.graph.nodes), *self.graph.nodes]:
            if node in self.readings:
                x, y = self.of[node.inputs[0]], self.of[node.output]
                x |= self.readings[node].reads[y].any(axis=0)
            for link in self.links[node]:
                first, second = self.of[link.first], self.of[link.second]
                first[link.of_first[second[link.of_second]]] = True
                second[link.of_second[first[link.of_first]]] = True
        return self.count > before

    def _fill(self) -> bool:
        empty = [kept for kept in reversed(self.of.values()) if not kept.any()]  # readers first: they choose
        for kept in empty[:1]:
            kept[:1] = True
        return bool(empty)

    @property
    def count(self) -> int:
        return sum(int(np.count_nonzero(kept)) for kept in self.of.values())


def is_layer(node: Node) -> bool:
    """Whether the node is a layer with weights, on stored integers."""
    return isinstance(node.op, Weighted) and node.op.requant is not None
