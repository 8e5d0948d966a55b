"""Least squares from second moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Array
from .evidence import Reals
from .refit import ridge


@dataclass(frozen=True, eq=False)
class Regression:
    """Means over `rows` of inputs x' and targets y: `xx` [inputs, inputs], `xy` [inputs, outputs], of y^2 `yy`."""

    rows: int
    x: Reals
    y: Reals
    xx: Reals
    xy: Reals
    yy: Reals

    @classmethod
    def of(cls, parts: Sequence[tuple[Array, Array]]) -> Regression:
        """From pairs x [rows, inputs], y [rows, outputs]."""
        rows = sum(len(x) for x, _ in parts)
        sums = [(x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y, np.square(y).sum(axis=0)) for x, y in parts]
        return cls(rows, *(np.asarray(np.sum(s, axis=0, dtype=np.float64) / rows) for s in zip(*sums, strict=True)))

    def merged(self, other: Regression) -> Regression:
        rows = self.rows + other.rows
        pairs = ((getattr(self, f), getattr(other, f)) for f in ("x", "y", "xx", "xy", "yy"))
        return Regression(rows, *((self.rows * a + other.rows * b) / rows for a, b in pairs))

    def solve(self, start: Reals, share: float) -> tuple[Reals, Reals]:
        """Weights [outputs, inputs] and a bias; `share` as in `ridge`."""
        covariance = self.xx - np.outer(self.x, self.x)
        missing = self.xy - np.outer(self.x, self.y) - covariance @ start.T
        covariance[np.diag_indices_from(covariance)] += ridge(covariance, share)
        weights = start + np.linalg.solve(covariance, missing).T
        return weights, self.y - weights @ self.x

    @property
    def variance(self) -> float:
        """Of all targets."""
        return float((self.yy - self.y**2).sum())

    def squares(self, weights: Reals, bias: Reals) -> float:
        """The mean squared error of all sums."""
        predicted = ((weights @ self.xx) * weights).sum(axis=1) + 2 * bias * (weights @ self.x) + bias**2
        crossed = (weights.T * self.xy).sum(axis=0) + bias * self.y
        return float((self.yy - 2 * crossed + predicted).sum())
