"""The rank of a matrix under noise."""

from __future__ import annotations

import numpy as np
import pytest

from mcucompile.passes.compress.decomposition import vbmf_rank


def noisy(rows: int, columns: int, rank: int, noise: float, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    """Orthogonal components of sizes 10 to 20, in noise of a given deviation."""
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.normal(size=(rows, max(rank, 1))))
    v, _ = np.linalg.qr(rng.normal(size=(columns, max(rank, 1))))
    signal = (u * np.linspace(20, 10, max(rank, 1))) @ v.T if rank else 0.0
    return np.asarray(signal + noise * rng.normal(size=(rows, columns)))


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (50, 50), (20, 300)])
@pytest.mark.parametrize("rank", [0, 1, 3, 8])
def test_known_rank(shape: tuple[int, int], rank: int) -> None:
    """The noise's largest singular value is about 0.2 * (sqrt(L) + sqrt(M)) < 5, half of the smallest component."""
    assert vbmf_rank(noisy(*shape, rank, 0.2, seed=rank)) == rank


def test_components_below_the_noise_are_not_counted() -> None:
    """Noise of deviation 3 has singular values up to 3 * (sqrt(40) + sqrt(60)) = 42: 10 to 20 is nothing."""
    assert vbmf_rank(noisy(40, 60, 3, 3.0, seed=1)) == 0


def test_scale_does_not_matter() -> None:
    matrix = noisy(30, 50, 4, 0.2, seed=2)
    assert vbmf_rank(1e-4 * matrix) == vbmf_rank(1e4 * matrix) == 4


def test_zeros() -> None:
    assert vbmf_rank(np.zeros((5, 7))) == 0
