"""Which units of a network matter least: one criterion per class, by the names that recipes use."""

from __future__ import annotations

from .activity import AveragePercentageOfZeros, BatchnormScale
from .criterion import Criterion, Ranking
from .duplicates import Duplicates
from .error import Lasso, ThiNet
from .influence import Ablation, Taylor
from .magnitude import L1, L2, GeometricMedian

ALL: dict[str, Criterion] = {
    c.name: c
    for c in (
        L1(), L2(), GeometricMedian(), AveragePercentageOfZeros(), BatchnormScale(), Taylor(), Ablation(), ThiNet(),
        Lasso(), Duplicates(),
    )
}  # fmt: skip

__all__ = ["ALL", "Criterion", "Ranking"]
