"""Exact integer Winograd convolutions F(m x m, 3x3): y = A^T [(G g G^T) * (B^T d B)] A / scale, for 3x3 filters g.

A tile of t x t inputs, t = m + 2, gives m x m outputs with t*t products instead of 9*m*m. The usual G has fractions;
here its rows are whole numbers, and A makes up for what they were multiplied by, so that all is exact modulo 2^32: the
result is `scale` times the convolution. `scale` is `odd` * 2^`bits`; multiplied by the inverse of `odd` modulo 2^32 it
is 2^`bits` times the convolution, exactly, while that fits in int32.

Source of the matrices: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, with the points 0, 1, -1 (and
for m = 4 also 2, -2) and infinity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...ir import Array

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Transform:
    """`size` is m. `g`: t x 3, `b`: t x t (B^T), `a`: m x t (A^T), with row i still to be multiplied by 2^defers[i]."""

    size: int
    g: Matrix
    b: Matrix
    a: Matrix
    bits: int
    odd: int
    defers: tuple[int, ...]

    @property
    def tile(self) -> int:
        return self.size + 2

    @property
    def positions(self) -> int:
        """Products per tile and pair of channels."""
        return self.tile**2

    @property
    def inverse(self) -> int:
        """odd * inverse == 1 modulo 2^32."""
        return pow(self.odd, -1, 1 << 32)

    def weights(self, filters: Array) -> Array:
        """int64 [..., 3, 3] to [..., t, t]."""
        g = np.asarray(self.g)
        return np.asarray(g @ filters.astype(np.int64) @ g.T)

    def input_bound(self, low: int, high: int) -> int:
        """The largest magnitude of any entry of B^T d B with low <= d <= high."""
        factors = np.einsum("ik,jl->ijkl", self.b, self.b).reshape(self.positions, -1)
        positive, negative = np.maximum(factors, 0).sum(axis=1), np.minimum(factors, 0).sum(axis=1)
        return int(max((positive * high + negative * low).max(), -(positive * low + negative * high).min()))


F2 = Transform(
    2,
    g=((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2)),
    b=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    a=((1, 1, 1, 0), (0, 1, -1, -1)),
    bits=2,
    odd=1,
    defers=(0, 0),
)
# The whole transforms of inputs and outputs take one instruction a sum.
F4 = Transform(
    4,
    g=((3, 0, 0), (4, 4, 4), (4, -4, 4), (1, 2, 4), (1, -2, 4), (0, 0, 3)),
    b=(
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    a=((2, -1, -1, 1, 1, 0), (0, -1, 1, 2, -2, 0), (0, -1, -1, 4, 4, 0), (0, -1, 1, 8, -8, 8)),
    bits=6,
    odd=9,
    defers=(0, 0, 0, 0),
)
# The weights are transformed with the fewest instructions.
F4_PLAIN = replace(
    F4,
    g=((1, 0, 0), (1, 1, 1), (1, -1, 1), (1, 2, 4), (1, -2, 4), (0, 0, 1)),
    a=((6, -4, -4, 1, 1, 0), (0, -2, 2, 1, -1, 0), (0, -1, -1, 1, 1, 0), (0, -1, 1, 2, -2, 6)),
    defers=(0, 1, 2, 2),
)
