"""Least squares from second moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import CompileError
from ....ir import Array
from .evidence import Reals
from .refit import ridge


@dataclass(frozen=True, eq=False)
class Regression:
    """Over `rows` of inputs x and targets y: their means; the covariances `xx` [inputs, inputs] and `xy` [inputs,
    outputs]; the variances `yy` of y. All are taken about a mean, since inputs may vary little around a large one.
    """

    rows: int
    x: Reals
    y: Reals
    xx: Reals
    xy: Reals
    yy: Reals

    @classmethod
    def of(cls, parts: Sequence[tuple[Array, Array]]) -> Regression:
        """From pairs x [rows, inputs], y [rows, outputs]. Raises E0202 where their products are no numbers any more."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = cls._of(*parts[0])
            for x, y in parts[1:]:
                found = found.merged(cls._of(x, y))
        if not all(np.isfinite(v).all() for v in (found.x, found.y, found.xx, found.xy, found.yy)):
            raise CompileError("E0202", "the calibration data makes the network compute NaN or infinity")
        return found

    @classmethod
    def _of(cls, x: Array, y: Array) -> Regression:
        mean_x, mean_y = (v.mean(axis=0, dtype=np.float64) for v in (x, y))
        a, b = x - mean_x.astype(x.dtype), y - mean_y.astype(y.dtype)
        products = (a.T @ a, a.T @ b, np.square(b).sum(axis=0))
        xx, xy, yy = (p.astype(np.float64) / len(x) for p in products)
        return cls(len(x), mean_x, mean_y, xx, xy, yy)

    def merged(self, other: Regression) -> Regression:
        """Of both together; their means differ, which adds to the covariances."""
        rows = self.rows + other.rows
        mine, others = self.rows / rows, other.rows / rows
        dx, dy, both = self.x - other.x, self.y - other.y, mine * others
        return Regression(
            rows, mine * self.x + others * other.x, mine * self.y + others * other.y,
            mine * self.xx + others * other.xx + both * np.outer(dx, dx),
            mine * self.xy + others * other.xy + both * np.outer(dx, dy),
            mine * self.yy + others * other.yy + both * dy**2,
        )  # fmt: skip

    def solve(self, start: Reals, share: float) -> tuple[Reals, Reals]:
        """Weights [outputs, inputs] and a bias; `share` as in `ridge`, which draws the weights to `start`."""
        regular = self.xx.copy()
        regular[np.diag_indices_from(regular)] += ridge(regular, share)
        weights = start + np.linalg.solve(regular, self.xy - self.xx @ start.T).T
        return weights, self.y - weights @ self.x

    @property
    def variance(self) -> float:
        """Of all targets."""
        return float(self.yy.sum())

    def squares(self, weights: Reals, bias: Reals) -> float:
        """The mean squared error of all sums."""
        predicted = ((weights @ self.xx) * weights).sum()
        offset = self.y - weights @ self.x - bias
        return float(self.yy.sum() - 2 * (weights.T * self.xy).sum() + predicted + np.square(offset).sum())
