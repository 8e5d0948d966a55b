"""Weights of few bits: which integers and which scale per output channel make the least error.

Everything is on matrices: a target [groups, outputs, inputs], a Hessian [groups, inputs, inputs] of the squared error,
and integers q with a scale per output, such that scale * q stands for the target. Three closed forms need no Hessian:

- nearest: the scale of least error among fractions of the largest weight, each weight rounded by itself.
- ternary (Li, Zhang, Liu 2016): 0 where |w| <= 0.7 mean |w|; the scale is the mean |w| of the others.
- binary (Rastegari et al. 2016): the sign of w; the scale is the mean |w|.

`compensated` starts there. It rounds one input after another, the one with the largest variance first, and lets all
inputs to come take over the error of each (Frantar et al. 2023, GPTQ); then it changes single integers, and the scales,
as long as that makes the error smaller (coordinate descent, as Behdin et al. 2023, QuantEase).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array
from .hessian import Reals, quadratic

FRACTIONS = np.linspace(1.0, 0.3, 29)  # of the largest weight
TERNARY_THRESHOLD = 0.7  # of the mean |w|
SWEEPS = 8
TINY = 1e-30


@dataclass(frozen=True)
class Levels:
    """The integers -high..high, without 0 where `has_zero` is false (then high is 1)."""

    high: int
    has_zero: bool = True

    def nearest(self, steps: Reals) -> Reals:
        return np.clip(np.rint(steps), -self.high, self.high) if self.has_zero else np.where(steps < 0, -1.0, 1.0)


BINARY = Levels(1, has_zero=False)
TERNARY = Levels(1)


@dataclass(frozen=True, eq=False)
class Rounded:
    """Integers [groups, outputs, inputs] as floats, and scales [groups, outputs], float32 values in float64."""

    q: Reals
    scales: Reals

    @property
    def values(self) -> Reals:
        return self.q * self.scales[..., None]

    @property
    def high(self) -> int:
        """The largest integer, without its sign."""
        return int(np.abs(self.q).max(initial=0))

    def rescaled(self, scales: Reals) -> Rounded:
        """With other scales; channels of zeros keep theirs, and so do those whose scale would not be positive."""
        return Rounded(self.q, as_float32(np.where(scales > TINY, scales, self.scales)))


def as_float32(scales: Reals) -> Reals:
    return np.maximum(scales, TINY).astype(np.float32).astype(np.float64)


def nearest(target: Reals, hessian: Reals | None, levels: Levels, kept: Array) -> Rounded:
    """The scale of the least error among FRACTIONS. `kept` is false where the integer must be 0."""
    reach = np.abs(target).max(axis=2, initial=0.0)
    reach = np.where(reach > TINY, reach, reach.max(initial=0.0) or 1.0)
    best, least = None, np.full(reach.shape, np.inf)
    for fraction in FRACTIONS:
        scales = as_float32(reach * fraction / levels.high)
        q = levels.nearest(target / scales[..., None]) * kept
        cost = squared_error(target - q * scales[..., None], hessian)
        better = cost < least
        least = np.where(better, cost, least)
        best = Rounded(
            q if best is None else np.where(better[..., None], q, best.q),
            scales if best is None else np.where(better, scales, best.scales),
        )
    assert best
    return best


def squared_error(error: Reals, hessian: Reals | None) -> Reals:
    return np.square(error).sum(axis=2) if hessian is None else quadratic(error, hessian)


def ternary(target: Reals, kept: Array) -> Rounded:
    """TWN's threshold and scale, over the weights that may differ from 0."""
    magnitude = np.abs(target) * kept
    mean = magnitude.sum(axis=2) / np.maximum(kept.sum(axis=2), 1)
    large = magnitude > (TERNARY_THRESHOLD * mean)[..., None]
    scales = (magnitude * large).sum(axis=2) / np.maximum(large.sum(axis=2), 1)
    return Rounded(np.sign(target) * large, filled(scales))


def binary(target: Reals, kept: Array) -> Rounded:
    """XNOR-Net's sign and scale, over the weights that may differ from 0."""
    scales = (np.abs(target) * kept).sum(axis=2) / np.maximum(kept.sum(axis=2), 1)
    return Rounded(BINARY.nearest(target) * kept, filled(scales))


def filled(scales: Reals) -> Reals:
    """Channels of zeros take the largest scale."""
    return as_float32(np.where(scales > TINY, scales, scales.max(initial=0.0) or 1.0))


def compensated(target: Reals, hessian: Reals, levels: Levels, kept: Array, start: Rounded, ordered: bool) -> Rounded:
    """Never worse than `start` under the Hessian."""
    swept = sweep(target, hessian, levels, kept, start.scales, rounding_order(hessian, ordered))
    candidates = [descended(c, target, hessian, levels, kept) for c in (start, swept)]
    errors = [squared_error(target - c.values, hessian) for c in candidates]
    better = errors[1] < errors[0]
    first, second = candidates
    return Rounded(np.where(better[..., None], second.q, first.q), np.where(better, second.scales, first.scales))


def rounding_order(hessian: Reals, ordered: bool) -> Array:
    """[groups, inputs]: the inputs of the largest variance first, whose errors matter most; else as they come."""
    variances = np.diagonal(hessian, axis1=1, axis2=2)
    if not ordered:
        return np.broadcast_to(np.arange(variances.shape[1]), variances.shape)
    return np.argsort(-variances, axis=1, kind="stable")


def sweep(target: Reals, hessian: Reals, levels: Levels, kept: Array, scales: Reals, order: Array) -> Rounded:
    """GPTQ: `order` [groups, inputs] says which input is rounded when."""
    groups = np.arange(len(order))[:, None]
    permuted = hessian[groups[:, :, None], order[:, :, None], order[:, None, :]]
    factor = inverse_factor(permuted)
    rest, may_differ = (np.take_along_axis(a, order[:, None, :], axis=2) for a in (target, kept))
    rest, q = rest.copy(), np.zeros_like(rest)
    for i in range(rest.shape[2]):
        q[..., i] = levels.nearest(rest[..., i] / scales) * may_differ[..., i]
        error = (rest[..., i] - q[..., i] * scales) / factor[:, None, i, i]
        rest[..., i:] -= error[..., None] * factor[:, None, i, i:]
    back = np.argsort(order, axis=1)
    return Rounded(np.take_along_axis(q, back[:, None, :], axis=2), scales)


def inverse_factor(hessian: Reals) -> Reals:
    """Upper triangular U with U^T U = H^-1: row i over U[i, i] says how the error of input i spreads to later ones."""
    return np.linalg.cholesky(np.linalg.inv(hessian)).swapaxes(1, 2)


def descended(start: Rounded, target: Reals, hessian: Reals, levels: Levels, kept: Array) -> Rounded:
    """Coordinate descent, integers and scales in turn, until nothing changes or SWEEPS are done."""
    now = refitted(start, target, hessian)
    for _ in range(SWEEPS):
        q = one_descent(now, target, hessian, levels, kept)
        is_done = np.array_equal(q, now.q)
        now = refitted(Rounded(q, now.scales), target, hessian)
        if is_done:
            break
    return now


def one_descent(now: Rounded, target: Reals, hessian: Reals, levels: Levels, kept: Array) -> Reals:
    """Every integer once, each the best one with all others as they are."""
    q, scales = now.q.copy(), now.scales
    gradient = (now.values - target) @ hessian
    for i in range(q.shape[2]):
        best = q[..., i] - gradient[..., i] / (hessian[:, None, i, i] * scales)
        chosen = levels.nearest(best) * kept[..., i]
        step = (chosen - q[..., i]) * scales
        gradient += step[..., None] * hessian[:, None, i, :]
        q[..., i] = chosen
    return q


def refitted(now: Rounded, target: Reals, hessian: Reals) -> Rounded:
    """The scales of least error for these integers, where float32 can hold an improvement."""
    weighted = now.q @ hessian
    scales = (weighted * target).sum(axis=2) / np.maximum((weighted * now.q).sum(axis=2), TINY)
    other = now.rescaled(scales)
    better = squared_error(target - other.values, hessian) < squared_error(target - now.values, hessian)
    return Rounded(now.q, np.where(better, other.scales, now.scales))
