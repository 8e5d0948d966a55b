"""What the passes that leave zeros in the weights have in common.

The zeros stay in place: a sparse kernel or an encoding makes something of them, and int8 quantization, which is
symmetric, keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...ir import Array, Graph, Node
from ..calibrate import Samples
from .base import Change
from .brain_surgeon import Criterion, Layer, Pattern, best, pruned, removal_costs
from .hessian import Moments, input_moments, needed_samples, weight_rows
from .layer_weights import change_of, in_order, rewrite

LEAST_LEFT = 0.01  # of a layer's weights, where layers compete


@dataclass(frozen=True)
class Method:
    """How weights are judged: the criterion, and what is added to the Hessian's diagonal relative to its mean."""

    criterion: Criterion
    damping: float

    def check(self, name: str, samples: Samples | None) -> None:
        """Raises E0201 for a criterion that needs samples where there are none."""
        if self.criterion != "magnitude":
            needed_samples(samples, f"{name} with criterion {self.criterion}", "use criterion:magnitude")

    def idle_options(self) -> Mapping[str, str]:
        return {"damping": "criterion magnitude looks at weights alone"} if self.criterion == "magnitude" else {}


@dataclass(frozen=True, eq=False)
class Task:
    """A layer's pattern, and how many units shall be left, of the layer or of each of the pattern's sets."""

    pattern: Pattern
    left: int


def prune(graph: Graph, tasks: Mapping[Node, Task], samples: Samples | None, method: Method) -> tuple[Change, ...]:
    """Prune the layers in the order of execution; each makes up for what those before it lost, as far as it can."""
    changes: list[Change] = []
    for node, moments in in_order(graph, list(tasks), samples):
        task = tasks[node]
        layer = layer_of(node, task.pattern, moments, method)
        highest = pruned(layer, method.criterion, task.left)
        changes.append(change_of(node, layer.values, layer.target, moments, method.criterion, highest))
        rewrite(graph, node, layer.values, moments)
    return tuple(changes)


def layer_of(node: Node, pattern: Pattern, moments: Moments | None, method: Method) -> Layer:
    """The layer as matrices. Only obs moves weights that stay, so only there do they make up for earlier layers."""
    weights = weight_rows(node)
    groups, _, inputs = weights.shape
    if moments is None:
        return Layer(weights, weights, np.broadcast_to(np.eye(inputs), (groups, inputs, inputs)), pattern)
    target = moments.target(weights, method.damping) if method.criterion == "obs" else weights
    return Layer(weights, target, moments.hessian(method.damping), pattern)


def units_of(node: Node, pattern: Pattern) -> int:
    """All units of a layer."""
    groups, outputs, _ = weight_rows(node).shape
    return int(groups * -(-outputs // pattern.bundle) * len(pattern.units))


def equal_tasks(patterns: Mapping[Node, Pattern], amount: float) -> dict[Node, Task]:
    """The same share of units goes in every layer."""
    return {n: Task(p, round((1 - amount) * units_of(n, p))) for n, p in patterns.items()}


def competing_tasks(
    graph: Graph, patterns: Mapping[Node, Pattern], amount: float, samples: Samples | None, method: Method
) -> dict[Node, Task]:
    """The units that cost least go, of all layers together; what one costs is relative to its layer's output.

    Costs are those in the network as it is. Every layer keeps LEAST_LEFT of its units.
    """
    found = {} if samples is None else input_moments(graph, patterns, samples)
    costs: list[Array] = []
    for node, pattern in patterns.items():
        layer = layer_of(node, pattern, found.get(node), method)
        whole = max(layer.scale(method.criterion), 1e-30)
        least = max(1, round(LEAST_LEFT * layer.live.size))
        costs.append(removal_costs(layer, method.criterion, least).ravel() / whole)
    sizes = [c.size for c in costs]
    keep = np.split(best(np.concatenate(costs), round((1 - amount) * sum(sizes))), np.cumsum(sizes)[:-1])
    return {n: Task(p, int(k.sum())) for (n, p), k in zip(patterns.items(), keep, strict=True)}


def input_blocks(node: Node, width: int) -> Array:
    """Inputs of an output in blocks of `width` neighbouring channels at one place of the window, [blocks, width].

    -1 fills a last block of fewer channels.
    """
    channels, inputs = node.inputs[1].shape[-1], weight_rows(node).shape[2]
    block = np.arange(0, channels, width)[:, None] + np.arange(width)
    places = np.arange(0, inputs, channels)[:, None, None] + block
    return np.asarray(np.where(block < channels, places, -1).reshape(-1, width))


def each_input(node: Node) -> Array:
    return np.arange(weight_rows(node).shape[2])[:, None]
