"""Criteria that choose units by the error which their removal leaves in the layers that read them."""

from __future__ import annotations

import numpy as np

from ..dependencies import Family
from ..evidence import Evidence, Reals, interactions
from .criterion import Criterion, Ranking

PENALTIES = 60  # of the path
LEAST_PENALTY = 1e-5  # of the largest
SWEEPS = 30
SETTLED = 1e-3  # change of a factor in a sweep


class ThiNet(Criterion):
    """Greedily: next goes the unit that adds least to the error of all gone so far together (Luo et al. 2017).

    A unit's score is the error after its removal, relative to the variance of the sums that read it.
    """

    name = "thinet"

    def rank(self, family: Family, evidence: Evidence) -> Ranking:
        matrix = interactions(family, evidence)
        scores, order = np.zeros(family.units), list[int]()
        added, error, left = np.diag(matrix).copy(), 0.0, np.ones(family.units, bool)
        for _ in range(family.units):
            unit = int(np.argmin(np.where(left, added, np.inf)))
            error += float(added[unit])
            scores[unit], left[unit] = error, False
            order.append(unit)
            added += 2 * matrix[:, unit]
        return Ranking(np.asarray(order), scores)


class Lasso(Criterion):
    """The order in which units leave a sum whose factors are under a growing penalty (He, Zhang, Sun 2017).

    minimize over b:  (1 - b)' M (1 - b) / 2 + penalty * sum |b|,  M as in `evidence.interaction`
    A unit's score is the penalty at which its factor became zero.
    """

    name = "lasso"

    def rank(self, family: Family, evidence: Evidence) -> Ranking:
        matrix = interactions(family, evidence)
        largest = max(float(np.abs(matrix.sum(axis=1)).max()), 1e-30)
        factors, scores, last = np.ones(family.units), np.full(family.units, largest), np.ones(family.units)
        left = np.ones(family.units, bool)
        for penalty in np.geomspace(largest * LEAST_PENALTY, largest, PENALTIES):
            shrunk = descend(matrix, factors, penalty)
            gone = left & (shrunk == 0)
            scores[gone], last[gone], left = penalty, np.abs(factors[gone]), left & ~gone
            factors = shrunk
        last[left] = 1.0 + np.abs(factors[left])
        return Ranking(np.lexsort((last, scores)), scores)


def descend(matrix: Reals, start: Reals, penalty: float) -> Reals:
    """Coordinate descent from factors near the minimum; a factor that is zero stays so along the path."""
    factors = start.copy()
    residual = matrix @ (1.0 - factors)
    for _ in range(SWEEPS):
        before = factors.copy()
        for i in np.flatnonzero(factors):
            curvature = matrix[i, i]
            wish = residual[i] + curvature * factors[i]
            value = np.sign(wish) * max(abs(wish) - penalty, 0.0) / curvature if curvature > 0 else 0.0
            residual += matrix[:, i] * (factors[i] - value)
            factors[i] = value
        if np.abs(factors - before).max() < SETTLED:
            break
    return factors
