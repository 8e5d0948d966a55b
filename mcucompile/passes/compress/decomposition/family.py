"""The chains of one kind that could take a layer's place, from the smallest to the largest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....ir import NO_CLIP, Array, Clip, Node, Shape
from .chain import Part, macs_of, plain_graph, weights_of

Ranks = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Level:
    """A chain of certain ranks: MACs, weights, and the share of the energy that it loses.

    The energy is the sum of squares of the weights or, where the decomposition knows the layer's inputs, the variance
    of its outputs; `lost` may be an upper bound.
    """

    family: Family
    ranks: Ranks
    macs: int
    weights: int
    lost: float

    @cached_property
    def factors(self) -> tuple[Array, ...]:
        return self.family.factors(self.ranks)

    def parts(self, bias: Array, clip: Clip = NO_CLIP) -> tuple[Part, ...]:
        """The chain; `bias` has one value per output channel."""
        return self.family.chain(self.factors, bias, clip)

    @property
    def text(self) -> str:
        return f"{self.family.title} {'x'.join(map(str, self.ranks))}"


class Family(ABC):
    """Subclasses have the layer `node` and a `title` for the report.

    `is_normalized`: whether channels between the chain's parts have the ranges that they shall have.
    """

    node: Node
    title: str

    @property
    def is_normalized(self) -> bool:
        return False

    @abstractmethod
    def path(self) -> Iterator[tuple[Ranks, float]]:
        """Ranks and the share of the energy that they lose, with growing ranks."""

    @abstractmethod
    def factors(self, ranks: Ranks) -> tuple[Array, ...]:
        """The weights of the chain's layers in an order of the family's own."""

    @abstractmethod
    def factor_shapes(self, ranks: Ranks) -> tuple[Shape, ...]:
        """Their shapes."""

    @abstractmethod
    def chain(self, factors: Sequence[Array], bias: Array, clip: Clip) -> tuple[Part, ...]:
        """The operators that they are the weights of."""

    @abstractmethod
    def composed(self, factors: Sequence[Array]) -> Array:
        """The weights of the one layer that computes what the chain does."""

    @abstractmethod
    def asked(self, rank: int) -> Ranks:
        """What a rank that the user gives means, limited to what the layer has."""

    def objection(self, ranks: Ranks) -> str | None:
        """Why a layer had better not be replaced by the chain of these ranks, None where nothing speaks against it."""
        return None

    def vbmf_ranks(self) -> Ranks | None:
        """Ranks by variational Bayes, None where the method says nothing."""
        return None

    def level(self, ranks: Ranks, lost: float) -> Level:
        factors = [np.broadcast_to(np.float32(0), shape) for shape in self.factor_shapes(ranks)]
        parts = self.chain(factors, np.zeros(self.node.inputs[2].size), NO_CLIP)
        nodes = plain_graph(parts, self.node.inputs[0], self.node.output).nodes
        return Level(self, ranks, macs_of(nodes), weights_of(nodes), lost)

    @cached_property
    def levels(self) -> Sequence[Level]:
        return [self.level(ranks, lost) for ranks, lost in self.path()]

    def within(self, macs: float) -> Level | None:
        """The chain of at most so many MACs that loses least."""
        return min([v for v in self.levels if v.macs <= macs], key=lambda v: (v.lost, v.macs), default=None)

    def keeping(self, energy: float, macs: float) -> Level | None:
        """The cheapest chain of fewer than so many MACs that keeps this share of the energy."""
        found = [v for v in self.levels if v.macs < macs and v.lost <= 1 - energy]
        return min(found, key=lambda v: (v.macs, v.lost), default=None)

    def level_of(self, ranks: Ranks) -> Level:
        """The level with these ranks; its loss is that of the nearest ranks of the path that are no larger."""
        lost = min((v for r, v in self.path() if all(a <= b for a, b in zip(r, ranks, strict=True))), default=1.0)
        return self.level(ranks, lost)


def tails(singular_values: Array) -> Array:
    """tails[r]: the share of the sum of squares beyond the first r singular values; tails[0] is 1."""
    squares = np.square(singular_values.astype(np.float64))
    total = float(squares.sum()) or 1.0
    beyond = np.concatenate([np.cumsum(squares[::-1])[::-1], [0.0]])
    return np.asarray(beyond / total)


def ranks_by_energy(all_tails: Sequence[Array]) -> Iterator[tuple[Ranks, float]]:
    """A path through several ranks, each of at least 1, on which the mode that loses least gives up a rank first.

    The loss is the sum of the modes' tails, an upper bound of what the truncated higher-order SVD loses
    (De Lathauwer, De Moor, Vandewalle 2000).
    """
    ranks = [1] * len(all_tails)
    while True:
        losses = [float(t[r]) for t, r in zip(all_tails, ranks, strict=True)]
        yield tuple(ranks), sum(losses)
        grown = [i for i, t in enumerate(all_tails) if ranks[i] < len(t) - 1]
        if not grown:
            return
        ranks[max(grown, key=lambda i: losses[i])] += 1
