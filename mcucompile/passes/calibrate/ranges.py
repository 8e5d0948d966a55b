"""From a histogram to the range that a tensor's integers shall cover: four methods.

Every range contains zero, so that zero (padding, Relu) is exact.

- minmax: the extremes. Nothing saturates, outliers cost resolution.
- percentile: leaves out the PERCENTILE outermost part on either side.
- mse: the range with the least expected squared error of rounding and saturation (Sung, Shin, Hwang 2015).
- entropy: the range whose quantized distribution has the least Kullback-Leibler divergence (TensorRT, Migacz 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...ir import DType, QuantParams
from .histogram import HALF, Histogram

PERCENTILE = 1e-4  # left out on either side
FRACTIONS = np.geomspace(1.0, 0.02, 80)  # of an extreme, tried by `mse` and `entropy`
MIN_SCALE = 1e-30
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """Real values low <= 0 <= high that the integers of a tensor cover."""

    low: float
    high: float

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))

    def fits(self, quant: QuantParams) -> bool:
        """Whether the parameters cover the range, up to a step: 1.0 of a sigmoid is one more than its scale holds."""
        low, high = quant.dtype.low - quant.zero - 1, quant.dtype.high - quant.zero + 1
        return low * quant.scale <= self.low and self.high <= high * quant.scale

    def params(self, dtype: DType) -> QuantParams:
        """Asymmetric for int8; symmetric for int16, whose zero point is 0."""
        span = self.high - self.low
        if span < MIN_SCALE:  # always zero: any scale will do
            return QuantParams.per_tensor(1.0, 0, dtype)
        if dtype is DType.I16:
            return QuantParams.per_tensor(max(-self.low, self.high) / dtype.high, 0, dtype)
        scale = float(np.float32(span / (dtype.high - dtype.low)))
        zero = round(dtype.low - self.low / scale)
        return QuantParams.per_tensor(scale, min(max(zero, dtype.low), dtype.high), dtype)


def minmax(histogram: Histogram, dtype: DType) -> Range:
    return Range(histogram.low, histogram.high)


def percentile(histogram: Histogram, dtype: DType) -> Range:
    allowed = PERCENTILE * histogram.total
    below, above = np.cumsum(histogram.counts), np.cumsum(histogram.counts[::-1])[::-1]
    low = (int(np.argmax(below > allowed)) - HALF) * histogram.width
    high = (2 * HALF - int(np.argmax(above[::-1] > allowed)) - HALF) * histogram.width
    return Range(min(0.0, max(low, histogram.low)), max(0.0, min(high, histogram.high)))


def mse(histogram: Histogram, dtype: DType) -> Range:
    used = histogram.counts > 0
    values, weights = histogram.centres[used], histogram.counts[used]
    return least(histogram, lambda chosen: squared_error(values, weights, chosen.params(dtype)))


def least(histogram: Histogram, cost: Callable[[Range], float]) -> Range:
    """Alternates between the two ends; each step takes the best of FRACTIONS of the extreme."""
    best = Range(histogram.low, histogram.high)
    for _ in range(2):
        if histogram.high > 0:
            best = min((Range(best.low, float(histogram.high * f)) for f in FRACTIONS), key=cost)
        if histogram.low < 0:
            best = min((Range(float(histogram.low * f), best.high) for f in FRACTIONS), key=cost)
    return best


def squared_error(values: Floats, weights: NDArray[np.int64], quant: QuantParams) -> float:
    """Squared error of rounding and saturation over the middles of the bins."""
    steps = np.clip(np.rint(values / quant.scale), quant.dtype.low - quant.zero, quant.dtype.high - quant.zero)
    return float((weights * np.square(values - steps * quant.scale)).sum())


def entropy(histogram: Histogram, dtype: DType) -> Range:
    """int16 has more levels than the histogram has bins, so nothing is gained by cutting its extremes."""
    if dtype is not DType.I8:
        return minmax(histogram, dtype)
    return least(histogram, lambda chosen: divergence(histogram, chosen))


def divergence(histogram: Histogram, chosen: Range) -> float:
    """KL divergence of the distribution with 256 levels from the one saturated to the range."""
    first = max(int(np.floor(chosen.low / histogram.width)) + HALF, 0)
    last = min(int(np.ceil(chosen.high / histogram.width)) + HALF, 2 * HALF)
    inside = histogram.counts[first:last].astype(np.float64)
    saturated = inside.copy()
    saturated[0] += histogram.counts[:first].sum()
    saturated[-1] += histogram.counts[last:].sum()
    level = np.arange(inside.size) * 256 // inside.size
    occupied = inside > 0
    total = np.bincount(level, inside, 256)
    members = np.maximum(np.bincount(level, occupied, 256), 1)
    levelled = np.where(occupied, (total / members)[level], 0.0)
    return kullback_leibler(saturated, levelled)


def kullback_leibler(p: Floats, q: Floats, floor: float = 1e-4) -> float:
    """sum p log(p/q) of two unnormalised distributions; q is kept off zero by `floor` of a mean bin."""
    if q.sum() == 0:
        return np.inf
    smooth = q + floor * q.sum() / q.size
    p, q = p / p.sum(), smooth / smooth.sum()
    used = p > 0
    return float((p[used] * np.log(p[used] / q[used])).sum())


METHODS: dict[str, Callable[[Histogram, DType], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}
