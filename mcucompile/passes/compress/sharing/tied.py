"""The best values for weights that are tied together, and the choice of ties, under the Hessian of the output error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....ir import Array
from ..hessian import Reals
from .integer_layer import LIMIT, IntegerLayer

STEPS = 40
ENOUGH = 1e-6  # relative to the first residual


@dataclass(frozen=True, eq=False)
class Tied:
    """Every code of a layer is `sign` * values[index], all [groups, outputs, inputs]; sign 0 is a code of zero."""

    index: Array
    sign: Array

    def codes(self, values: Array) -> Reals:
        return np.asarray(values[self.index] * self.sign)

    def gathered(self, codes: Reals, count: int) -> Array:
        """The transpose of `codes`: a sum for each value."""
        return np.bincount(self.index.ravel(), (codes * self.sign).ravel(), count)


def fitted(layer: IntegerLayer, tied: Tied, target: Reals, start: Array) -> Array:
    """Values of least squared error of the layer's sums, by conjugate gradients from `start`; rounded to integers.

    Rounding may lose what was gained: `start` comes back where it is better.
    """
    hessian, squares = layer.hessian, np.square(layer.scales)[..., None]

    def normal(codes: Reals) -> Array:
        return tied.gathered((codes * squares) @ hessian, start.size)

    values = start.astype(np.float64)
    residual = normal(target - tied.codes(values))
    direction, size = residual, float(residual @ residual)
    first = size
    for _ in range(STEPS):
        if size <= ENOUGH**2 * first:
            break
        image = normal(tied.codes(direction))
        length = size / float(direction @ image)
        values = values + length * direction
        residual = residual - length * image
        size, before = float(residual @ residual), size
        direction = residual + size / before * direction
    integers = np.clip(np.rint(values), -LIMIT, LIMIT)
    errors = [layer.error(tied.codes(v), target) for v in (start, integers)]
    return integers if errors[1] < errors[0] else start
