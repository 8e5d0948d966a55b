"""Weights in coordinates in which what a layer reads has variance 1, so that squares of weights are those of outputs.

The covariance of a layer's inputs is taken for a Kronecker product, one factor for each axis of the weights along which
they are summed (rows, columns, channels): each is the mean of the covariance over the other axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ....ir import Array, Shape

FLOOR = 1e-6  # of the largest variance; what varies less is taken to vary that much


@dataclass(frozen=True, eq=False)
class Whitening:
    """For each axis a symmetric square root of its covariance, and the root's inverse; empty to change nothing."""

    roots: tuple[Array, ...] = ()
    inverses: tuple[Array, ...] = ()

    def apply(self, weight: Array, first: int = 1) -> Array:
        """Weights whose summed axes are those from `first` on, in the new coordinates."""
        for axis, root in enumerate(self.roots):
            weight = along(weight, root, first + axis)
        return weight

    def undo(self, weight: Array, axis: int, summed: int) -> Array:
        """Back along one axis, which is number `summed` of those that are summed."""
        return along(weight, self.inverses[summed], axis) if self.inverses else weight


def whitening(moment: Array | None, shape: Shape) -> Whitening:
    """From the covariance [n, n] of inputs of this shape."""
    if moment is None:
        return Whitening()
    both = [roots_of(factor) for factor in kronecker_factors(moment, shape)]
    return Whitening(tuple(r for r, _ in both), tuple(i for _, i in both))


def kronecker_factors(moment: Array, shape: Shape) -> Sequence[Array]:
    """A covariance for each axis, of mean variance 1."""
    factors: list[Array] = []
    for axis, size in enumerate(shape):
        before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
        parts = moment.reshape(before, size, after, before, size, after)
        factor = np.einsum("aibajb->ij", parts)
        factors.append(factor * size / max(float(np.trace(factor)), 1e-300))
    return factors


def roots_of(covariance: Array) -> tuple[Array, Array]:
    """The symmetric square root and its inverse."""
    values, vectors = np.linalg.eigh(covariance)
    scales = np.sqrt(np.maximum(values, FLOOR * float(values.max(initial=0.0)) or 1.0))
    return (vectors * scales) @ vectors.T, (vectors / scales) @ vectors.T


def along(tensor: Array, matrix: Array, axis: int) -> Array:
    """The tensor times a symmetric matrix along one axis."""
    return np.asarray(np.moveaxis(np.moveaxis(tensor, axis, -1) @ matrix, -1, axis))
