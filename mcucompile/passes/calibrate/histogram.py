"""What calibration remembers of a tensor: exact extremes and a histogram that grows with the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...ir import Array

HALF = 2048  # bins on each side of zero


@dataclass(eq=False)
class Histogram:
    """Counts of values in bins [i*width, (i+1)*width), i in -HALF..HALF-1; `width` is a power of two.

    When a value falls outside, neighbouring bins merge until it fits: no second run over the data, no loss but
    resolution, and the same result in whatever order the samples come. Zeros are counted apart, since zero is always
    represented exactly.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2 * HALF, np.int64))
    width: float = 0.0
    low: float = 0.0
    high: float = 0.0
    zeros: int = 0

    def add(self, values: Array) -> None:
        flat = values[values != 0].ravel().astype(np.float64)
        self.zeros += values.size - flat.size
        if not flat.size:
            return
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.grow(max(-low, high))
        index = np.floor(flat / self.width).astype(np.int64) + HALF
        self.counts += np.bincount(index, minlength=2 * HALF)

    def grow(self, reach: float) -> None:
        """Make bins wide enough for magnitudes up to `reach`, which must stay strictly inside."""
        wanted = power_of_two_above(reach) / HALF
        if self.width == 0.0:
            self.width = wanted
        while self.width < wanted:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(2 * HALF, np.int64)
            self.counts[HALF // 2 : HALF // 2 + HALF] = pairs
            self.width *= 2

    @property
    def total(self) -> int:
        return int(self.counts.sum()) + self.zeros

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of every bin, moved inside the extremes."""
        middle = (np.arange(-HALF, HALF) + 0.5) * self.width
        return np.clip(middle, self.low, self.high)

    def union(self, other: Histogram) -> Histogram:
        """The histogram of both tensors' values; neither changes."""
        result = Histogram(self.counts.copy(), self.width, self.low, self.high, self.zeros)
        added = Histogram(other.counts.copy(), other.width)
        for h in (result, added):
            h.grow(max(-self.low, self.high, -other.low, other.high))
        result.counts += added.counts
        result.low, result.high = min(self.low, other.low), max(self.high, other.high)
        result.zeros += other.zeros
        return result


def power_of_two_above(value: float) -> float:
    """The smallest power of two that is larger."""
    return float(2.0 ** (np.floor(np.log2(max(value, 1e-30))) + 1))
