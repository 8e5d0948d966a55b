"""Remove channels of a network of real numbers that are always zero, and those that nobody reads.

    %a = conv2d(%x, %w [16 channels], %b); %y = conv2d(%a, %v, %c)
    -->   %a = conv2d(%x, %w [the 11 that matter], ..); %y = conv2d(%a, %v without 5 inputs, %c)

So passes that prune do not count channels that are gone already, and what is fitted to samples does not revive them.
What a removed channel added to any sum is zero. Channels that go together (see `pruning.dependencies`) go together.

Decided: only before rewritings that a recipe asks for, since ranges, and so scales, are found without these channels.
`remove_channels` removes more, also constants that are not zero, when every integer is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, Graph, Node, Tensor
from ..ops.weighted import Weighted
from .base import Pass
from .channels.cut import cut
from .compress.pruning.dependencies import ELSEWHERE, Family, families, is_sum, masks


@dataclass(frozen=True)
class IdleChannels:
    """What a layer lost: how many of its output channels `zero` were, and how many of the others `unread`."""

    tensor: str
    source: tuple[str, ...]
    zero: int
    unread: int


@dataclass(frozen=True)
class RemoveIdleChannels(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return len(remove_idle_channels(graph))

    def run_telling(self, graph: Graph) -> tuple[int, tuple[object, ...]]:
        removals = remove_idle_channels(graph)
        return len(removals), removals


def remove_idle_channels(graph: Graph) -> tuple[IdleChannels, ...]:
    """Rewrite the graph until nothing is idle; what each layer lost. A layer's readers may lose their only reader."""
    removals: list[IdleChannels] = []
    while found := [(f, zero_units(graph, f), unread_units(f)) for f in families(graph)]:
        gone = [(f, spared(zero | unread), zero) for f, zero, unread in found]
        if not any(g.any() for _, g, _ in gone):
            break
        removals += [r for f, idle, zero in gone for r in told(f, idle, zero)]
        cut(graph, masks(graph, [(f, np.flatnonzero(idle).tolist()) for f, idle, _ in gone]))
    return tuple(removals)


def spared(idle: Array) -> Array:
    """Without the first unit where all are idle: no tensor may be empty."""
    result = idle.copy()
    result[:1] &= not idle.all()
    return result


def unread_units(family: Family) -> Array:
    """Units whose every weight is zero in every layer that sums over them."""
    weights: list[Array] = [family.per_unit(n.inputs[0], magnitudes(n)) for n in family.consumers]
    return np.asarray(sum(weights) == 0)


def magnitudes(node: Node) -> Array:
    """Of the weights on each input channel, summed."""
    values = node.inputs[1].const
    assert values is not None
    return np.asarray(np.abs(values.astype(np.float64)).reshape(-1, values.shape[-1]).sum(axis=0))


def zero_units(graph: Graph, family: Family) -> Array:
    """Units that are zero whatever the network is given: no operator that makes one of their channels adds anything."""
    made = [family.per_unit(t, what_arises(n, t)) for n in graph.nodes for t in n.outputs if t in family.of]
    return np.asarray(sum(made) == 0)


def what_arises(node: Node, output: Tensor) -> Array:
    """Per channel of an output: 0 where it is zero as long as the channels are that go together with it."""
    zeros = [np.zeros(t.shape, t.dtype.numpy) if t.const is None else t.const for t in node.inputs]
    value = node.op.reference(*zeros)[node.outputs.index(output)]
    alone = np.abs(value.astype(np.float64)).reshape(-1, output.shape[-1]).max(axis=0)
    return np.asarray(alone + filters(node) if is_sum(node) else alone)


def filters(node: Node) -> Array:
    """Magnitudes of the weights of each output channel, summed."""
    op, values = node.op, node.inputs[1].const
    assert isinstance(op, Weighted) and values is not None
    return np.asarray(np.abs(values.astype(np.float64)).sum(axis=op.other_axes(values.shape)))


def told(family: Family, idle: Array, zero: Array) -> Iterator[IdleChannels]:
    for node in family.producers:
        of = family.of[node.output]
        inside = of[of != ELSEWHERE]
        counts = [int((idle & kind)[inside].sum()) for kind in (zero, ~zero)]
        if any(counts):
            yield IdleChannels(node.output.name, node.source, *counts)
