"""Which weights to remove, and what the others become: magnitude, optimal brain damage, optimal brain surgeon.

A *unit* is a set of neighbouring inputs whose weights are removed together, in one output or in a *bundle* of outputs
that share one pattern. With H the Hessian of the layer's squared output error, a unit u of weights v scores, summed
over its bundle,

    magnitude   |v_u|^2
    obd         sum of v_i^2 H_ii                      the others stay (LeCun, Denker, Solla 1990)
    obs         v_u ([H^-1]_uu)^-1 v_u^T               the others are fitted anew (Hassibi, Stork 1993)

The last is exactly what the error grows by. Since it holds for the first removal only, weights go in rounds, each
followed by a new fit of every output to its own remaining inputs by least squares; the last fit is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ...ir import Array
from .hessian import Reals, quadratic

Criterion = Literal["magnitude", "obd", "obs"]
SHRINKS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.0)  # survivors of a round of obs: the first affordable ones; 0 is one round
MOST_OPERATIONS = 8.5e10  # of a layer: some 10 s


@dataclass(frozen=True, eq=False)
class Pattern:
    """Units of inputs, and what may be removed of them.

    `units` [units, width] has the inputs of each unit, -1 where it has fewer. `bundle` neighbouring outputs share
    a pattern. The units of a layer compete or, where there are `sets` [sets, members], those of each set; -1 again
    where a set has fewer members.
    """

    units: Array
    bundle: int = 1
    sets: Array | None = None


@dataclass(eq=False)
class Layer:
    """A layer while it is pruned. Shapes: weights, target [groups, outputs, inputs]; hessian [groups, inputs, inputs].

    `live` [groups, bundles, units] are the units that are left, `values` the weights as they are now. A unit whose
    weights are all zero was removed before.
    """

    weights: Reals
    target: Reals
    hessian: Reals
    pattern: Pattern
    values: Reals = field(init=False)
    live: Array = field(init=False)

    def __post_init__(self) -> None:
        self.live = self.unit_sums(np.square(self.weights)) > 0
        self.values = self.target * self.kept

    @property
    def kept(self) -> Array:
        """[groups, outputs, inputs]: which weights are left."""
        groups, outputs, inputs = self.target.shape
        result = np.zeros((groups, self.live.shape[1], inputs + 1), bool)
        result[..., self.pattern.units] = self.live[..., None]
        return np.asarray(np.repeat(result[..., :inputs], self.pattern.bundle, axis=1)[:, :outputs])

    def unit_sums(self, per_weight: Reals) -> Reals:
        """[groups, outputs, inputs] summed over each unit and bundle: [groups, bundles, units]."""
        by_bundle = np.add.reduceat(per_weight, np.arange(0, per_weight.shape[1], self.pattern.bundle), axis=1)
        padded = np.concatenate([by_bundle, np.zeros((*by_bundle.shape[:2], 1))], axis=2)
        return np.asarray(padded[..., self.pattern.units].sum(axis=3))

    def scale(self, criterion: Criterion) -> float:
        """What scores are relative to when layers are compared: the score of all weights together."""
        if criterion == "magnitude":
            return float(np.square(self.target).sum())
        return float(quadratic(self.target, self.hessian).sum())

    def remove(self, scores: Reals, left: int) -> None:
        """Keep the `left` units of the highest scores of those that live, or the best of every set."""
        ranked = np.where(self.live, scores, -1.0)
        keep = best_of_sets(ranked, self.pattern.sets, left) if self.pattern.sets is not None else best(ranked, left)
        self.live &= keep
        self.values = self.values * self.kept

    def bundles(self) -> Iterator[tuple[int, int, slice, Array]]:
        """Group, bundle, its outputs, the inputs that are left to it."""
        kept, size = self.kept, self.pattern.bundle
        for g, b in np.ndindex(self.live.shape[:2]):
            outputs = slice(b * size, (b + 1) * size)
            yield g, b, outputs, np.flatnonzero(kept[g, outputs.start])

    def surgeon_scores(self) -> Reals:
        """Fits every output to its inputs; what removing each living unit would cost."""
        scores = np.zeros(self.live.shape)
        wanted = self.target @ self.hessian
        seen: tuple[int, bytes] | None = None
        for g, b, outputs, inputs in self.bundles():
            if seen != (g, inputs.tobytes()):
                seen, inverse = (g, inputs.tobytes()), np.linalg.inv(self.hessian[g][np.ix_(inputs, inputs)])
            fitted = wanted[g, outputs][:, inputs] @ inverse
            self.values[g, outputs] = 0.0
            self.values[g, outputs, inputs] = fitted.T
            scores[g, b, self.live[g, b]] = unit_costs(fitted, inverse, self.widths(g, b))
        return scores

    def widths(self, group: int, bundle: int) -> Array:
        """The number of inputs of each living unit."""
        return np.asarray((self.pattern.units[self.live[group, bundle]] >= 0).sum(axis=1))

    def fit(self) -> None:
        """Every output becomes the best one of its remaining inputs."""
        wanted = self.target @ self.hessian
        for g, _, outputs, inputs in self.bundles():
            fitted = np.linalg.solve(self.hessian[g][np.ix_(inputs, inputs)], wanted[g, outputs][:, inputs].T)
            self.values[g, outputs] = 0.0
            self.values[g, outputs, inputs] = fitted


def unit_costs(fitted: Reals, inverse: Reals, widths: Array) -> Reals:
    """v_u ([H^-1]_uu)^-1 v_u^T per unit, summed over the outputs; units lie one after another, `widths` inputs each."""
    if np.all(widths == 1):
        return np.asarray(np.square(fitted).sum(axis=0) / np.diagonal(inverse))
    starts, width = np.cumsum(widths) - widths, int(widths.max(initial=1))
    places = starts[:, None] + np.arange(width)
    outside = np.arange(width) >= widths[:, None]
    places = np.where(outside, 0, places)
    blocks = inverse[places[:, :, None], places[:, None, :]]
    blocks = np.where(outside[:, :, None] | outside[:, None, :], np.eye(width), blocks)
    v = np.where(outside, 0.0, fitted[:, places])
    return np.asarray((np.linalg.solve(blocks, v.transpose(1, 2, 0)) * v.transpose(1, 2, 0)).sum(axis=(1, 2)))


def best(scores: Reals, count: int) -> Array:
    """True for the `count` highest scores; of equal ones the first."""
    result = np.zeros(scores.size, bool)
    result[np.argsort(-scores, axis=None, kind="stable")[:count]] = True
    return result.reshape(scores.shape)


def best_of_sets(scores: Reals, sets: Array, count: int) -> Array:
    """True for the `count` highest scores of each set of the last axis."""
    padded = np.concatenate([scores, np.full((*scores.shape[:-1], 1), -2.0)], axis=-1)
    members = padded[..., sets]
    rank = np.argsort(np.argsort(-members, axis=-1, kind="stable"), axis=-1, kind="stable")
    result = np.zeros(padded.shape, bool)
    result[..., sets] = rank < count
    return result[..., :-1]


def pruned(layer: Layer, criterion: Criterion, left: int) -> float:
    """Prune the layer to `left` units, or `left` per set. Returns the highest score that was removed."""
    if criterion != "obs":
        return removed_below(layer, first_scores(layer, criterion), left)
    highest = 0.0
    for count in rounds(layer, left):
        highest = max(highest, removed_below(layer, layer.surgeon_scores(), count))
    layer.fit()
    return highest


def first_scores(layer: Layer, criterion: Criterion) -> Reals:
    """What removing one unit of the layer as it is would cost, [groups, bundles, units]."""
    if criterion == "obs":
        return layer.surgeon_scores()
    per_weight = np.square(layer.values)
    if criterion == "obd":
        per_weight = per_weight * np.diagonal(layer.hessian, axis1=1, axis2=2)[:, None, :]
    return layer.unit_sums(per_weight)


def removal_costs(layer: Layer, criterion: Criterion, least: int) -> Reals:
    """What each unit adds to the error when units go one after another, the cheapest first, until `least` are left.

    [groups, bundles, units]; infinite for those that are left. With obs a unit costs more once others are gone that
    could have made up for it: scores of the layer as it is would not tell.
    """
    costs = np.where(layer.live, np.inf, 0.0)
    highest = 0.0
    for count in rounds(layer, least) if criterion == "obs" else [least]:
        before, scores = layer.live.copy(), first_scores(layer, criterion)
        layer.remove(scores, count)
        gone = before & ~layer.live
        costs[gone] = np.maximum(scores[gone], highest)
        highest = float(costs[gone].max(initial=highest))
    return costs


def removed_below(layer: Layer, scores: Reals, left: int) -> float:
    before = layer.live.copy()
    layer.remove(scores, left)
    return float(scores[before & ~layer.live].max(initial=0.0))


def rounds(layer: Layer, left: int) -> list[int]:
    """How many units are left after each round, of the layer or of each set: as many rounds as are affordable."""
    start = layer.pattern.sets.shape[1] if layer.pattern.sets is not None else int(layer.live.sum())
    plans = [shrinking(start, left, shrink) for shrink in SHRINKS]
    return next((p for p in plans if operations(layer, p, start) <= MOST_OPERATIONS), plans[-1])


def shrinking(start: int, left: int, shrink: float) -> list[int]:
    counts = [start]
    while counts[-1] > left:
        counts.append(max(left, int(shrink * counts[-1])))
    return counts[1:]


def operations(layer: Layer, counts: list[int], start: int) -> float:
    """Of the inversions, each in every bundle, that the rounds need, and of the equations that the last fit solves.

    All bundles share the first inversion, of the layer as it is.
    """
    inputs = layer.live.mean() * layer.target.shape[2]
    rounds = [2 * (inputs * count / start) ** 3 for count in counts[:-1]]
    fit = 2 / 3 * (inputs * counts[-1] / start) ** 3 if counts else 0.0
    return float(layer.live[..., 0].size * (sum(rounds) + fit))
