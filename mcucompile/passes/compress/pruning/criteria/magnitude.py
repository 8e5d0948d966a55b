"""Criteria that look at weights alone. Where several layers produce a unit, each counts relative to its own mean."""

from __future__ import annotations

import numpy as np

from ..dependencies import Family
from ..evidence import Evidence, Reals, average, unit_filters
from .criterion import Scoring


class L1(Scoring):
    """The sum of a filter's magnitudes (Li et al. 2017)."""

    name = "l1"

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        return average(np.abs(unit_filters(family, n)).sum(axis=1) for n in family.producers)


class L2(Scoring):
    """The Euclidean norm of a filter."""

    name = "l2"

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        return average(np.linalg.norm(unit_filters(family, n), axis=1) for n in family.producers)


class GeometricMedian(Scoring):
    """The sum of a filter's distances to all others: one near the middle can be made of the rest (He et al. 2019)."""

    name = "geometric_median"

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        return average(distances(unit_filters(family, n)).sum(axis=1) for n in family.producers)


def distances(rows: Reals) -> Reals:
    """Euclidean, between all pairs of rows."""
    squares = np.square(rows).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0)))
