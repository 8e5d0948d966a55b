"""Data-free removal of units that are nearly the same as another (Srinivas, Babu 2015)."""

from __future__ import annotations

import numpy as np

from ..dependencies import Family
from ..evidence import Evidence, unit_columns, unit_filters
from .criterion import Criterion, Ranking
from .magnitude import distances


class Duplicates(Criterion):
    """Unit j goes when some unit i has nearly its weights; i inherits what j gave to the layers after.

    The score of removing j is mean(a_j^2) * |w_i - w_j|^2 with w the incoming weights and bias, a the outgoing ones:
    the bound of Srinivas and Babu on the squared error of the next layer's sums for inputs of unit length.
    """

    name = "duplicates"

    def rank(self, family: Family, evidence: Evidence) -> Ranking:
        incoming = np.hstack([unit_filters(family, n, with_bias=True) for n in family.producers])
        outgoing = np.hstack([unit_columns(family, n) for n in family.consumers])
        squares = np.square(distances(incoming))
        differ = ~np.eye(family.units, dtype=bool)  # and both are there
        scores, order, heirs = np.full(family.units, np.inf), list[int](), dict[int, int]()
        for _ in range(family.units - 1):
            cost = np.where(differ, squares * np.square(outgoing).mean(axis=1), np.inf)  # [heir, gone]
            heir, gone = (int(i) for i in np.unravel_index(np.argmin(cost), cost.shape))
            scores[gone], heirs[gone] = cost[heir, gone], heir
            order.append(gone)
            outgoing[heir] += outgoing[gone]
            differ[gone, :] = differ[:, gone] = False
        last = int(np.setdiff1d(np.arange(family.units), order)[0])
        return Ranking(np.asarray([*order, last]), scores, heirs)
