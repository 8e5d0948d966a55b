"""What a criterion is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .....ir import Array
from ..dependencies import Family
from ..evidence import Evidence, Reals


@dataclass(frozen=True, eq=False)
class Ranking:
    """Units in the order in which they shall go. `scores` are per unit; what they mean is the criterion's.

    `heirs[unit]` is the unit to which a removed one leaves its outgoing weights.
    """

    order: Array
    scores: Reals
    heirs: Mapping[int, int] = field(default_factory=dict)


class Criterion(ABC):
    """Ranks the units of a family. What needs samples raises E0201 without them."""

    name: ClassVar[str]

    @abstractmethod
    def rank(self, family: Family, evidence: Evidence) -> Ranking: ...


class Scoring(Criterion):
    """A criterion that judges every unit by itself: those with the least score go first."""

    def rank(self, family: Family, evidence: Evidence) -> Ranking:
        scores = self.scores(family, evidence)
        return Ranking(np.argsort(scores, kind="stable"), scores)

    @abstractmethod
    def scores(self, family: Family, evidence: Evidence) -> Reals:
        """One per unit."""
