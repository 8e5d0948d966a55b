"""Which channels of a network must stay or go together: the dependency graph of structured pruning (Fang et al. 2023).

A *unit* is the smallest set of channels, of one tensor or several, that can be removed: both operands of an Add and
its sum, a convolution's output and what a depthwise layer makes of it, a channel's entries in a flattened tensor. A
*family* is all units that go through the same tensors. A unit is fixed when one of its channels enters or leaves the
network, or belongs to an operator that does not work channel by channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Array, Graph, Node, Tensor
from ....ops.weighted import Weighted
from ...channels.links import Link, links_of, mixes

Places = tuple[tuple[str, int], ...]  # tensors, and how many channels of each are one unit
ELSEWHERE = -1  # a channel of a tensor that is in no unit of the family


@dataclass(frozen=True, eq=False)
class Family:
    """`units` of channels that are alike. `of[tensor][channel]` is the channel's unit, or ELSEWHERE.

    `producers` are the layers whose filters go with a unit; `consumers` are those that sum over its channels, the only
    places where it can be seen to be missing.
    """

    units: int
    of: Mapping[Tensor, Array]
    producers: tuple[Node, ...]
    consumers: tuple[Node, ...]

    def channels(self, tensor: Tensor, unit: int) -> Array:
        """The unit's channels of the tensor."""
        return np.flatnonzero(self.of[tensor] == unit)

    def per_unit(self, tensor: Tensor, values: Array) -> Array:
        """Sums over the channels of each unit: [channels] -> [units]."""
        inside = self.of[tensor] != ELSEWHERE
        return np.bincount(self.of[tensor][inside], values[inside], self.units)

    @property
    def places(self) -> Places:
        """What tells the family from others, also when some of its units are gone."""
        return tuple((t.name, int((of == 0).sum())) for t, of in self.of.items())


def families(graph: Graph) -> list[Family]:
    """All families that may be pruned, in the order of the tensors in the graph."""
    labels = labelled(graph)
    fixed = np.unique(np.concatenate([labels[t] for t in boundary(graph)] or [np.zeros(0, int)]))
    free = {t: np.where(np.isin(of, fixed), ELSEWHERE, of) for t, of in labels.items()}
    return [f for f in (family(graph, free, units) for units in alike(free)) if f.consumers and f.producers]


def labelled(graph: Graph) -> dict[Tensor, Array]:
    """Channels with the same number go together: the smallest number spreads along the links until nothing changes."""
    tensors = list(graph.activations())
    starts = np.cumsum([0, *(channel_count(t) for t in tensors)])
    labels = {t: np.arange(start, start + channel_count(t)) for t, start in zip(tensors, starts, strict=False)}
    links = [link for n in graph.nodes if not is_sum(n) for link in links_of(n) or []]
    while sum([spread(labels, link) for link in [*links, *reversed(links)]]):
        pass
    return labels


def channel_count(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 0


def spread(labels: Mapping[Tensor, Array], link: Link) -> bool:
    """Give both ends of a link the smaller number; whether that changed one."""
    first, second = labels[link.first], labels[link.second]
    before = int(first.sum() + second.sum())
    least = np.minimum(first[link.of_first], second[link.of_second])
    np.minimum.at(first, link.of_first, least)
    np.minimum.at(second, link.of_second, least)
    return int(first.sum() + second.sum()) != before


def is_sum(node: Node) -> bool:
    """Whether every output channel is a constant's product with all input channels, each of which may then go."""
    return mixes(node) and all(t.const is not None for t in node.inputs[1:])


def boundary(graph: Graph) -> list[Tensor]:
    """Tensors all of whose channels must stay."""
    opaque = [n for n in graph.nodes if not is_sum(n) and links_of(n) is None]
    of_nodes = [t for n in opaque for t in [*n.activations(), *n.outputs]]
    return list(dict.fromkeys([*graph.inputs, *graph.outputs, *of_nodes]))


def alike(labels: Mapping[Tensor, Array]) -> list[list[int]]:
    """The numbers in use, those together that have as many channels in each tensor."""
    places: dict[int, list[tuple[int, int]]] = {}
    for i, of in enumerate(labels.values()):
        for label, count in zip(*np.unique(of[of != ELSEWHERE], return_counts=True), strict=True):
            places.setdefault(int(label), []).append((i, int(count)))
    grouped: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for label, where in sorted(places.items()):
        grouped.setdefault(tuple(where), []).append(label)
    return list(grouped.values())


def family(graph: Graph, labels: Mapping[Tensor, Array], units: Sequence[int]) -> Family:
    of = {t: np.where(np.isin(o, units), np.searchsorted(units, o), ELSEWHERE) for t, o in labels.items()}
    of = {t: o for t, o in of.items() if (o != ELSEWHERE).any()}
    producers = tuple(n for n in graph.nodes if isinstance(n.op, Weighted) and n.output in of)
    consumers = tuple(n for n in graph.nodes if is_sum(n) and n.inputs[0] in of)
    return Family(len(units), of, producers, consumers)


def masks(graph: Graph, removed: Iterable[tuple[Family, Sequence[int]]]) -> dict[Tensor, Array]:
    """Per activation, which channels stay when these units of families are removed."""
    kept = {t: np.ones(channel_count(t), bool) for t in graph.activations()}
    for fam, units in removed:
        for t, of in fam.of.items():
            kept[t] &= ~np.isin(of, list(units))
    return kept
