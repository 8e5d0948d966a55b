"""Criteria that measure at the network's outputs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .....ir import Node, Tensor, constant
from ..dependencies import ELSEWHERE, Family
from ..evidence import Evidence, Reals
from .criterion import Scoring


class Fading(Scoring):
    """The squared change of the outputs when a unit is weakened by `share`, over share^2 and the outputs' variance."""

    share: ClassVar[float]

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        probe = evidence.probe
        errors = [probe.error(weakened(family, unit, self.share)) for unit in range(family.units)]
        return np.asarray(errors) / self.share**2


class Ablation(Fading):
    """What leaving the unit out does to the outputs: the oracle of Molchanov et al. 2017."""

    name = "ablation"
    share = 1.0


class Taylor(Fading):
    """The first-order term of that (Molchanov et al. 2017), |activation x gradient| squared, summed over all outputs.

    Decided: a difference quotient, because it needs the gradient of no operator, and the gradient of the outputs, not
    of a loss, because samples come without labels.
    """

    name = "taylor"
    share = 1 / 32


def weakened(family: Family, unit: int, share: float) -> dict[Node, list[Tensor]]:
    """The consumers' constants when the unit is that much weaker."""
    found: dict[Node, list[Tensor]] = {}
    for node in family.consumers:
        _, weight, bias = node.inputs
        assert weight.const is not None
        of = family.of[node.inputs[0]]
        factors = np.where((of == unit) & (of != ELSEWHERE), 1.0 - share, 1.0).astype(np.float32)
        found[node] = [constant(weight.name, weight.const * factors), bias]
    return found
