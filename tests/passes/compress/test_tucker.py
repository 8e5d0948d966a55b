"""Tucker-2, against TensorLy's own reconstruction run as one layer."""

from __future__ import annotations

import numpy as np
import pytest
from decompositions import WINDOWS, applied, assert_same, conv_network, kernels, macs, weight_of, with_weight
from tensorly import tucker_to_tensor
from tensorly.decomposition import partial_tucker

from mcucompile.ops.window import Window
from mcucompile.passes.compress.tucker import Tucker


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_chain_is_the_reconstruction(window: Window) -> None:
    graph, samples = conv_network(8, 12, window)
    got, (change,) = applied(Tucker(rank=6, rank_in=3), graph)
    (core, (outputs, inputs)), _ = partial_tucker(weight_of(graph), rank=[6, 3], modes=[0, 3], tol=1e-7)
    kh, kw = window.kernel
    want = tucker_to_tensor((core, [outputs, np.eye(kh), np.eye(kw), inputs]))
    assert_same(with_weight(graph, want), got, samples)
    assert kernels(got) == [(1, 1), window.kernel, (1, 1)]
    assert change.after == 3 * 8 + kh * kw * 3 * 6 + 6 * 12


def of_ranks(r: int, s: int, noise: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    """Weights [24, 3, 3, 16] of these ranks of output and input channels."""
    rng = np.random.default_rng(1)
    core = rng.normal(size=(r, 3, 3, s))
    exact = np.einsum("or,rhws,cs->ohwc", rng.normal(size=(24, r)), core, rng.normal(size=(16, s)))
    return np.asarray(exact + noise * rng.normal(size=exact.shape))


def test_weights_of_low_rank_are_found_and_kept() -> None:
    graph, samples = conv_network(16, 24)
    low = with_weight(graph, of_ranks(5, 3))
    got, _ = applied(Tucker(energy=0.99999), low)
    assert [n.inputs[1].shape for n in got.nodes] == [(3, 1, 1, 16), (5, 3, 3, 3), (24, 1, 1, 5)]
    assert_same(low, got, samples)


def test_variational_bayes_finds_the_ranks_under_noise() -> None:
    graph, _ = conv_network(16, 24)
    got, (change,) = applied(Tucker(vbmf=True), with_weight(graph, of_ranks(5, 3, noise=0.2)))
    assert [n.inputs[1].shape for n in got.nodes] == [(3, 1, 1, 16), (5, 3, 3, 3), (24, 1, 1, 5)]
    assert change.criterion == "variational Bayes"


def test_ratio_bounds_the_macs_and_spends_them() -> None:
    graph, _ = conv_network(16, 24)
    got, _ = applied(Tucker(ratio=0.5), graph)
    assert 0.4 * macs(graph) < macs(got) <= 0.5 * macs(graph)


def test_samples_make_the_outputs_better() -> None:
    graph, samples = conv_network(8, 12)
    _, (aware,) = applied(Tucker(rank=6, rank_in=3), graph, samples)
    _, (blind,) = applied(Tucker(rank=6, rank_in=3, data_aware=False), graph, samples)
    assert aware.effect is not None and blind.effect is not None
    assert aware.effect < 0.7 * blind.effect


def test_full_ranks_are_exact_with_samples_too() -> None:
    """Whitening is undone: what it changes is only which part is cut off."""
    graph, samples = conv_network(8, 12)
    got, _ = applied(Tucker(rank=12, rank_in=8), graph, samples)
    assert_same(graph, got, samples, tolerance=1e-4)


def test_pointwise_convolutions_are_left_to_low_rank() -> None:
    graph, _ = conv_network(8, 12, Window((1, 1)))
    assert not Tucker.takes(graph.nodes[0])
