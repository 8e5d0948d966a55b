"""k-means of weights that are integers: a histogram of at most 255 values is all that it has to look at."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from ....ir import Array
from ..hessian import Reals
from .integer_layer import LIMIT

Init = Literal["optimal", "linear", "density", "random"]
VALUES = np.arange(-LIMIT, LIMIT + 1, dtype=np.float64)
ITERATIONS, SEED = 100, 0


def clustered(codes: Reals, importance: Reals, count: int, init: Init) -> Array:
    """At most `count` integers to round `codes` to, ascending, with a small sum of squared errors.

    `linear` starts at even distances, `density` at even shares of all weights, `random` at some of them (the three of
    Han et al. 2016), and Lloyd's iteration goes on from there; `optimal` is the best there is, by dynamic programming
    (Wang, Song 2011). `importance` weighs the errors (Choi, El-Khamy, Lee 2017).
    """
    stored = np.clip(np.rint(codes), -LIMIT, LIMIT).astype(np.int64).ravel() + LIMIT
    mass = np.bincount(stored, importance.ravel(), VALUES.size)
    used = np.flatnonzero(np.bincount(stored, minlength=VALUES.size))
    if used.size <= count:
        return VALUES[used]
    if init == "optimal":
        return rounded(optimal(mass, count))
    numbers = np.bincount(stored, minlength=VALUES.size)
    return rounded(lloyd(mass, start(numbers, used, count, init)))


def rounded(centroids: Array) -> Array:
    return np.unique(np.rint(centroids))


def start(numbers: Array, used: Array, count: int, init: Init) -> Array:
    """`numbers` of weights of each value."""
    values = VALUES[used]
    if init == "linear":
        return np.linspace(values[0], values[-1], count)
    if init == "density":
        shares = np.cumsum(numbers[used]) / numbers.sum()
        return values[np.searchsorted(shares, (np.arange(count) + 0.5) / count)]
    chosen = np.random.default_rng(SEED).choice(used, count, replace=False, p=numbers[used] / numbers.sum())
    return np.sort(VALUES[chosen])


def lloyd(mass: Array, centroids: Array) -> Array:
    """A cluster that loses all its values keeps its centroid."""
    for _ in range(ITERATIONS):
        owner = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, VALUES)
        total = np.bincount(owner, mass, centroids.size)
        mean = np.bincount(owner, mass * VALUES, centroids.size) / np.where(total > 0, total, 1.0)
        moved = np.sort(np.where(total > 0, mean, centroids))
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def optimal(mass: Array, count: int) -> Array:
    """least[k][j]: the least error of the values before j in k + 1 intervals, the last of which starts at cut[k][j]."""
    m0, m1, m2 = (np.concatenate([[0.0], np.cumsum(mass * VALUES**p)]) for p in range(3))
    inside = m0[None] - m0[:, None]
    means = (m1[None] - m1[:, None]) / np.where(inside > 0, inside, 1.0)
    cost = np.maximum(m2[None] - m2[:, None] - means * (m1[None] - m1[:, None]), 0.0)
    cost[np.tril_indices_from(cost, -1)] = np.inf
    least, cuts = cost[0], []
    for _ in range(count - 1):
        together = least[:, None] + cost
        cuts.append(np.argmin(together, axis=0))
        least = together.min(axis=0)
    ends = [VALUES.size]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1]]))
    bounds = [0, *reversed(ends)]
    return np.array([means[a, b] for a, b in pairwise(bounds) if inside[a, b] > 0])
