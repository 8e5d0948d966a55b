"""Canonical polyadic decomposition, against TensorLy's reconstruction run as one layer; and where it degenerates."""

from __future__ import annotations

from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
from decompositions import WINDOWS, applied, assert_same, conv_network, macs, weight_of, with_weight
from tensorly import cp_to_tensor
from tensorly.decomposition import parafac

from mcucompile.ir import Array, Graph
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.window import Window
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.cp import Cp, decomposed


def reconstruction(tensor: Array, rank: int) -> Array:
    norm = np.linalg.norm(tensor)
    with catch_warnings():
        simplefilter("ignore")
        cp = parafac(tensor / norm, rank, n_iter_max=100, tol=1e-6, random_state=0)
    return np.asarray(cp_to_tensor(cp) * norm)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_chain_is_the_reconstruction(window: Window) -> None:
    graph, samples = conv_network(6, 8, window)
    got, (change,) = applied(Cp(rank=7, penalty=False), graph)
    assert_same(with_weight(graph, reconstruction(weight_of(graph), 7)), got, samples)
    kh, kw = window.kernel
    assert depthwise_kernels(got) == [(kh, 1), (1, kw)]
    assert change.after == 7 * (6 + kh + kw + 8)


def test_taps_as_one_axis() -> None:
    graph, samples = conv_network(6, 8)
    got, _ = applied(Cp(rank=7, taps="joint", penalty=False), graph)
    want = reconstruction(weight_of(graph).reshape(8, 9, 6), 7).reshape(8, 3, 3, 6)
    assert_same(with_weight(graph, want), got, samples)
    assert depthwise_kernels(got) == [(3, 3)]


def depthwise_kernels(graph: Graph) -> list[tuple[int, int]]:
    return [n.op.window.kernel for n in graph.nodes if isinstance(n.op, DepthwiseConv2d)]


def test_a_line_has_one_axis_of_taps() -> None:
    graph, samples = conv_network(6, 8, Window((1, 3), pads=(0, 1, 0, 1)))
    got, _ = applied(Cp(rank=5, penalty=False), graph)
    assert_same(
        with_weight(graph, reconstruction(weight_of(graph).reshape(8, 3, 6), 5).reshape(8, 1, 3, 6)), got, samples
    )
    assert depthwise_kernels(got) == [(1, 3)]


def of_rank(rank: int) -> Array:
    rng = np.random.default_rng(2)
    return np.einsum("or,hr,wr,cr->ohwc", *(rng.normal(size=(n, rank)) for n in (8, 3, 3, 6)))


def test_weights_of_low_rank_are_found_and_kept() -> None:
    graph, samples = conv_network(6, 8)
    low = with_weight(graph, of_rank(3))
    got, _ = applied(Cp(energy=0.999), low)
    assert got.nodes[0].inputs[1].shape[0] == 3
    assert_same(low, got, samples, tolerance=0.02)


def test_ratio_bounds_the_macs_and_spends_them() -> None:
    graph, _ = conv_network(6, 8)
    got, _ = applied(Cp(ratio=0.6), graph)
    assert 0.5 * macs(graph) < macs(got) <= 0.6 * macs(graph)


def test_samples_make_the_outputs_better() -> None:
    graph, samples = conv_network(6, 8)
    _, (aware,) = applied(Cp(rank=8), graph, samples)
    _, (blind,) = applied(Cp(rank=8, data_aware=False), graph, samples)
    assert aware.effect is not None and blind.effect is not None
    assert aware.effect < 0.7 * blind.effect


def without_best_approximation() -> Array:
    """a.a.b + a.b.a + b.a.a has rank 3, and approximations of rank 2 as near as one likes: de Silva, Lim 2008.

    The two terms, n (a + b/n)(a + b/n)(a + b/n) and -n a.a.a, grow with n and cancel each other.
    """
    rng = np.random.default_rng(4)
    (a, b), (ta, tb), (ca, cb) = (rng.normal(size=(2, n)) for n in (8, 9, 8))
    terms = [(a, ta, cb), (a, tb, ca), (b, ta, ca)]
    return np.asarray(sum(np.einsum("o,t,c->otc", *t) for t in terms)).reshape(8, 3, 3, 8)


def test_degenerate_terms_are_told_by_their_size() -> None:
    """They grow as long as the iteration runs, where terms of a tensor that has a decomposition stay."""
    tensor = without_best_approximation().reshape(8, 9, 8)
    sizes = [decomposed(tensor, 2, iterations=n).size for n in (20, 100, 500)]
    assert sizes[0] < sizes[1] < sizes[2] and sizes[2] > 2.5
    rng = np.random.default_rng(5)
    a, b, c = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in (8, 9, 8))
    assert decomposed(np.einsum("or,tr,cr->otc", a, b, c), 3, iterations=500).size == pytest.approx(1, abs=1e-3)


def test_a_degenerate_layer_stays_and_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcucompile.passes.compress.cp.LARGEST", 1.9)  # which a hundred iterations reach
    graph, _ = conv_network(8, 8)
    layer = with_weight(graph, without_best_approximation())
    got, (change,) = applied(Cp(rank=2, taps="joint", penalty=False), layer)
    assert len(got.nodes) == 1 and np.array_equal(weight_of(got), weight_of(layer))
    assert "degenerate" in change.unit and change.before == change.after


def test_a_penalty_keeps_terms_small() -> None:
    tensor = without_best_approximation().reshape(8, 9, 8)
    without, small, large = (decomposed(tensor, 2, p, 500).size for p in (1e-10, 1e-4, 1e-2))
    assert without > 1.2 * small > 1.2 * large


def test_channels_between_the_parts_get_like_ranges() -> None:
    """They are on one scale each once they are integers; a depthwise part has a weight scale for each channel."""
    graph, samples = conv_network(6, 8)
    got, _ = applied(Cp(rank=12), graph, samples)
    plain, _ = applied(Cp(rank=12), graph)
    for network, most in ((got, 1.5), (plain, np.inf)):
        between = [n.output for n in network.nodes[:2]]
        traced = list(runner(network, samples).traces(samples))
        reaches = [
            np.max([np.abs(t[tensor]).reshape(-1, 12).max(axis=0) for t in traced], axis=0) for tensor in between
        ]
        assert all(r.max() / r.min() < most for r in reaches)
    assert max(r.max() / r.min() for r in reaches) > 3
