"""How much a network's outputs suffer when a layer is pruned: one layer at a time, by several amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Graph
from ...calibrate import Samples
from .criteria import ALL, Ranking
from .dependencies import Family, families
from .evidence import Evidence
from .refit import refitted, without_units

AMOUNTS = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)


@dataclass(frozen=True)
class Sensitivity:
    """Of one family of channels, named by its first layer.

    `errors[i]` is the outputs' squared error, relative to their variance, without `amounts[i]` of the units.
    """

    layer: str
    source: tuple[str, ...]
    units: int
    amounts: tuple[float, ...]
    errors: tuple[float, ...]

    def error(self, removed: int) -> float:
        """Interpolated for that many units, and never less than for fewer."""
        rising = np.maximum.accumulate((0.0, *self.errors))
        return float(np.interp(removed / self.units, (0.0, *self.amounts), rising))


def sensitivity(
    family: Family, ranking: Ranking, evidence: Evidence, refits: bool, amounts: Sequence[float] = AMOUNTS
) -> Sensitivity:
    """Scan one family; `refits` says whether the layers that read it are fitted anew each time."""
    errors = []
    for amount in amounts:
        gone = ranking.order[: round(amount * family.units)]
        changed = refitted(family, gone, evidence.half_moments) if refits else without_units(family, gone)
        errors.append(evidence.judge.error(changed))
    first = family.producers[0]
    return Sensitivity(first.output.name, first.source, family.units, tuple(amounts), tuple(errors))


def scan(graph: Graph, samples: Samples, criterion: str = "l2", refits: bool = True) -> tuple[Sensitivity, ...]:
    """Of every family of a network of real numbers; samples map its inputs to [count, *shape]."""
    evidence = Evidence(graph, samples)
    return tuple(sensitivity(f, ALL[criterion].rank(f, evidence), evidence, refits) for f in families(graph))
