"""Remove channels that never matter: those that are constant and those that nobody reads.

    %a = conv2d(%x, %w [16 channels], %b); %y = conv2d(%a, %v, %c)
    -->   %a = conv2d(%x, %w [the 11 that matter], ..); %y = conv2d(%a, %v without 5 inputs, %c + what they added)

A channel is constant when its filter is zero, or when its sums, requantized and limited, come to one value for every
possible input. What it adds to the sums of its reader goes into the reader's bias, where that is the same at every
position; with padding and a constant other than the zero point it is not, and such a channel stays.
Removal goes through everything that works channel by channel. Both operands of an Add lose a channel or neither.

Decided: the remaining channels keep the multipliers and shifts that the whole layer had, because these define the
bits, and a layer's common shift depends on all of its channels. So this runs when multipliers are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Graph, Node
from ..ops.weighted import Weighted
from .base import Pass
from .channels.cut import cut
from .channels.kept import Kept, constant_channels, is_layer
from .channels.ranges import Ranges, ranges_of


@dataclass(frozen=True)
class Removal:
    """What one layer lost: `zero_filters`, `constant` and `unread` count its output channels by the reason.

    `inputs` are input channels; `macs` are those of one run, `weights` are numbers, not bytes.
    """

    tensor: str
    source: tuple[str, ...]
    channels: int
    zero_filters: int
    constant: int
    unread: int
    inputs: int
    macs: int
    weights: int


@dataclass(frozen=True)
class RemoveChannels(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return len(remove_channels(graph))

    def run_telling(self, graph: Graph) -> tuple[int, tuple[object, ...]]:
        removals = remove_channels(graph)
        return len(removals), removals


def remove_channels(graph: Graph) -> tuple[Removal, ...]:
    """Rewrite the graph; what each layer lost."""
    layers = [n for n in graph.nodes if is_layer(n)]
    ranges = ranges_of(graph)
    kept = Kept(graph, ranges)
    reasons = [reasons_of(n, ranges, ~kept.of[n.output]) for n in layers]
    before = [sizes(n) for n in layers]
    cut(graph, kept.of, kept.readings)
    removals = [removal(n, b, r) for n, b, r in zip(layers, before, reasons, strict=True)]
    return tuple(r for r in removals if r.weights)


def reasons_of(node: Node, ranges: Ranges, gone: Array) -> tuple[int, int, int]:
    """How many output channels go because their filter is zero, because they are constant otherwise, or unread."""
    op, weights = node.op, node.inputs[1].const
    assert isinstance(op, Weighted) and weights is not None
    zero = ~weights.any(axis=op.other_axes(weights.shape))
    constant = constant_channels(ranges[node.output]) & ~zero
    return int((gone & zero).sum()), int((gone & constant).sum()), int((gone & ~zero & ~constant).sum())


def sizes(node: Node) -> Array:
    """Output channels, input channels, MACs, weights."""
    return np.asarray([node.output.shape[-1], node.inputs[0].shape[-1], node.op.macs(node), node.inputs[1].size])


def removal(node: Node, before: Array, reasons: tuple[int, int, int]) -> Removal:
    channels, inputs, macs, weights = map(int, before - sizes(node))
    return Removal(node.output.name, node.source, channels, *reasons, inputs, macs, weights)
