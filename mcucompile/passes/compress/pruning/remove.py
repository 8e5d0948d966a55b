"""Remove units from a network of real numbers: choose them, cut them out, fit what is left, and say what went."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ....ir import Array, Graph, Node, Tensor
from ....ops.weighted import Weighted
from ...calibrate import Samples
from ...channels.cut import cut
from ..base import Change
from .criteria import Ranking
from .dependencies import ELSEWHERE, Family, masks
from .evidence import Evidence, interactions
from .reconstruct import Fit, reconstruct


@dataclass(frozen=True, eq=False)
class Selection:
    """Units of one family that go, in order, and why."""

    family: Family
    ranking: Ranking
    count: int
    criterion: str

    @property
    def units(self) -> Array:
        return self.ranking.order[: self.count]


class Surgery:
    """A network from which units are removed in place, step by step, and what it was before."""

    def __init__(self, graph: Graph, unit: str) -> None:
        self.graph, self.original = graph, copy_with_tensors(graph)
        self.unit = unit  # what reports call one
        self.left = masks(self.original, [])

    def remove(self, selections: Sequence[Selection], evidence: Evidence) -> list[Change]:
        """Cut units out of the graph as it is now."""
        chosen = [s for s in selections if s.count]
        changes = [c for s in chosen for c in told(s, evidence, self.unit, self.numbers(s.family))]
        kept = masks(self.graph, [(s.family, list(s.units)) for s in chosen])
        changes += [c for s in chosen for c in bequeath(s)]
        cut(self.graph, kept)
        for now, before in zip(self.graph.activations(), self.original.activations(), strict=True):
            self.left[before][self.left[before]] = kept[now]
        return changes

    def numbers(self, family: Family) -> Array:
        """Of the channels of the family's first layer, as they were counted in the original."""
        index = self.graph.nodes.index(family.producers[0])
        return np.flatnonzero(self.left[self.original.nodes[index].output])

    def fit(self, samples: Samples) -> list[Fit]:
        """Fit the layers that are left to the original."""
        return reconstruct(self.original, self.graph, self.left, samples)


def copy_with_tensors(graph: Graph) -> Graph:
    """A copy with shapes of its own; it shares the values of constants, which nobody changes."""
    return copy.deepcopy(graph, {id(t.const): t.const for t in graph.constants()})


def bequeath(selection: Selection) -> Iterator[Change]:
    """Add what a removed unit gives to the layers after it to what its heir gives, in the order of removal.

    Weights on a grid are added as its integers; where those become too large for it, that is told.
    """
    family, heirs = selection.family, selection.ranking.heirs
    if not heirs:
        return
    for node in family.consumers:
        weight, x = node.inputs[1], node.inputs[0]
        assert weight.const is not None
        grid = weight.grid
        values = weight.const.copy() if grid is None else grid.quantize(weight.const).astype(np.int64)
        for gone in map(int, selection.units):
            values[..., family.channels(x, heirs[gone])] += values[..., family.channels(x, gone)]
        if grid is None:
            node.inputs[1] = replace(weight, const=values)
            continue
        is_inside = np.abs(values).max(initial=0) <= grid.dtype.high
        node.inputs[1] = replace(weight, const=grid.dequantize(values), grid=grid if is_inside else None)
        if not is_inside:
            size, unit = weight.size, f"weights, off their grid: sums up to {np.abs(values).max()}"
            yield Change(node.output.name, node.source, unit, selection.criterion, 0.0, None, size, size)


def told(selection: Selection, evidence: Evidence, unit: str, numbers: Array) -> Iterator[Change]:
    """A record of each unit, whose channels go by `numbers`; the effect is known where there are samples."""
    family, scores = selection.family, selection.ranking.scores
    effects = np.diag(interactions(family, evidence)) if evidence.samples is not None else None
    first, weights = family.producers[0], unit_weights(family)
    for u in map(int, selection.units):
        name = f"{unit} {', '.join(map(str, numbers[family.channels(first.output, u)]))}"
        effect = None if effects is None else float(effects[u])
        yield Change(
            first.output.name, first.source, name, selection.criterion, float(scores[u]), effect, before=weights
        )


def unit_weights(family: Family) -> int:
    """Weights and biases that go with one unit, in the layers that produce and in those that read it."""
    made = sum(channels_per_unit(family, n.output) * per_output(n) for n in family.producers)
    read = sum(channels_per_unit(family, n.inputs[0]) * prod(n.inputs[1].shape[:-1]) for n in family.consumers)
    return made + read


def channels_per_unit(family: Family, tensor: Tensor) -> int:
    return int((family.of[tensor] != ELSEWHERE).sum()) // family.units


def per_output(node: Node) -> int:
    """Weights and bias of one output channel."""
    assert isinstance(node.op, Weighted)
    shape = node.inputs[1].shape
    return prod(shape) // shape[node.op.weight_axis] + 1


def refit_change(fit: Fit) -> Change:
    """How far the layer's sums are still from those of the original, after the fit; the score is the ridge."""
    weights = fit.node.inputs[1].size
    return Change(
        fit.node.output.name, fit.node.source, "weights fitted to the original's sums", "reconstruction", fit.ridge,
        fit.after, weights, weights,
    )  # fmt: skip
