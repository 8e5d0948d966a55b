"""How many bits each layer's weights get under a budget for all of them: those that hurt least go first.

What a layer's bits cost is measured: the layer alone is quantized on a copy of the network, and the squared error of
the network's outputs on calibration samples is taken, relative to their variance (output_error.py). Errors of several
layers are assumed to add up, as small independent ones do. Then it is a knapsack: from 8 bits everywhere, the step that
adds the least error per bit saved is taken, to any smaller number of bits, until the budget is met; at last layers
get bits back as far as the last step saved more than was needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...ir import Graph, Node
from ..calibrate import Samples, runner
from ..equalize import copy_nodes
from ..output_error import goal
from ..quantize import spread_samples, trial_count
from .hessian import input_moments
from .round_layer import Bits, Rounder, put_on_grid

FULL = 8  # bits of a layer that is left to the quantization of the network
CHOICES: tuple[Bits, ...] = (2, 3, 4)
MOST_BITS: Bits = 4
LEAST_BUDGET = 0.25


@dataclass(frozen=True)
class Cost:
    """Of a layer of `size` weights: the error of the outputs by its number of bits, 0 for FULL."""

    size: int
    errors: Mapping[int, float]


def shared_bits(
    graph: Graph, layers: Sequence[Node], samples: Samples, rounder: Rounder, budget: float
) -> dict[Node, Bits]:
    """The layers that get less than 8 bits, and how many."""
    costs = measured_costs(graph, layers, samples, rounder)
    chosen = dict(zip(costs, allotted(list(costs.values()), budget), strict=True))
    return {node: bits for node in chosen for bits in CHOICES if bits == chosen[node]}


def measured_costs(graph: Graph, layers: Sequence[Node], samples: Samples, rounder: Rounder) -> dict[Node, Cost]:
    shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in graph.inputs}
    few = spread_samples(shaped, trial_count(graph))
    target = goal(runner(graph, few), few)
    costs: dict[Node, Cost] = {}
    for node, moments in input_moments(graph, layers, samples).items():
        errors = {FULL: 0.0}
        for bits in CHOICES:
            trial = copy_nodes(graph)
            copy = trial.nodes[graph.nodes.index(node)]
            put_on_grid(trial, copy, rounder.rounded(node, bits, moments), moments)
            errors[int(bits)] = 10 ** (-target.decibels(trial) / 10)
        costs[node] = Cost(node.inputs[1].size, errors)
    return costs


def allotted(costs: Sequence[Cost], budget: float) -> list[int]:
    """Bits for each layer, such that all weights together take at most `budget` of 8 bits each, if they can."""
    bits = [FULL] * len(costs)
    allowed = budget * FULL * sum(c.size for c in costs)
    while used(costs, bits) > allowed:
        steps = list(savings(costs, bits))
        if not steps:
            break
        _, layer, fewer = min(steps)
        bits[layer] = fewer
    for i in sorted(range(len(costs)), key=lambda i: -costs[i].errors[bits[i]]):
        for more in sorted(costs[i].errors, reverse=True):
            if more > bits[i] and used(costs, bits) + costs[i].size * (more - bits[i]) <= allowed:
                bits[i] = more
    return bits


def used(costs: Sequence[Cost], bits: Sequence[int]) -> int:
    return sum(c.size * b for c, b in zip(costs, bits, strict=True))


def savings(costs: Sequence[Cost], bits: Sequence[int]) -> Iterator[tuple[float, int, int]]:
    """Every step down as error per bit saved, layer, new bits."""
    for i, (c, b) in enumerate(zip(costs, bits, strict=True)):
        for fewer in c.errors:
            if fewer < b:
                yield (c.errors[fewer] - c.errors[b]) / (c.size * (b - fewer)), i, fewer
