"""The rank of a matrix under noise, by empirical variational Bayes matrix factorization.

S. Nakajima, M. Sugiyama, S. D. Babacan, R. Tomioka: Global analytic solution of fully-observed variational Bayesian
matrix factorization. JMLR 14 (2013), theorem 2 and corollary 2: a singular value of an L x M matrix is kept where it
exceeds sqrt(M sigma^2 (1 + tau)(1 + alpha / tau)), with alpha = L / M, and sigma^2 is the noise variance that minimises
the free energy, which is a function of that one number.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from ....ir import Array

TAU = 2.5129  # times sqrt(alpha): the zero of the function that the theorem names, to four digits
GRID = 400
REFINEMENTS = 60
GOLDEN = (5**0.5 - 1) / 2


def vbmf_rank(matrix: Array) -> int:
    """How many singular values are more than noise; 0 for pure noise."""
    return rank_of(np.linalg.svd(matrix.astype(np.float64), compute_uv=False), *sorted(matrix.shape))


def rank_of(singular_values: Array, rows: int, columns: int) -> int:
    """`rows` <= `columns`; all singular values, falling."""
    squares = np.square(singular_values)
    if squares.sum() == 0:
        return 0
    alpha = rows / columns
    tau = TAU * alpha**0.5
    factor = (1 + tau) * (1 + alpha / tau)
    variance = noise_variance(squares, rows, columns, factor)
    return int((squares > columns * variance * factor).sum())


def noise_variance(squares: Array, rows: int, columns: int, factor: float) -> float:
    """The minimum of the free energy between the bounds of the corollary: a grid, since it may have several dips."""
    most = min(ceil(rows / (1 + rows / columns)) - 1, len(squares) - 1)
    high = float(squares.sum()) / (rows * columns)
    low = max(float(squares[most]) / (columns * factor), float(squares[most:].mean()) / columns)
    low = min(max(low, high * 1e-12), high)
    grid = np.geomspace(low, high, GRID)
    best = int(np.argmin([free_energy(v, squares, rows, columns, factor) for v in grid]))
    return refined(float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)]), squares, rows, columns, factor)


def refined(low: float, high: float, squares: Array, rows: int, columns: int, factor: float) -> float:
    """Golden-section search."""
    for _ in range(REFINEMENTS):
        a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        is_left = free_energy(a, squares, rows, columns, factor) < free_energy(b, squares, rows, columns, factor)
        low, high = (low, b) if is_left else (a, high)
    return (low + high) / 2


def free_energy(variance: float, squares: Array, rows: int, columns: int, factor: float) -> float:
    """Up to a constant and a factor; Omega(sigma^2) of the corollary, all singular values observed."""
    alpha = rows / columns
    x = np.maximum(squares / (columns * variance), 1e-300)
    signal, noise = x[x > factor], x[x <= factor]
    centre = signal - (1 + alpha)
    tau = (centre + np.sqrt(np.square(centre) - 4 * alpha)) / 2
    terms = (noise - np.log(noise)).sum() + (signal - tau).sum()
    terms += np.log((tau + 1) / signal).sum() + alpha * np.log(tau / alpha + 1).sum()
    return float(terms + (rows - len(squares)) * np.log(variance))
