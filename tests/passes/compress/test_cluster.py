"""Few values for a layer's weights: which ones, zeros that stay, and what the samples are good for."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_networks import applied, conv_network, dense_network, layers, noise, outputs, weights
from needs import needs_emulator

import mcucompile
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, constant
from mcucompile.passes.compress.cluster import Cluster
from mcucompile.passes.compress.sharing import Init, clustered, integer_layers, share
from mcucompile.passes.compress.sharing.scalar import start

MODEL = Path(__file__).parents[2] / "models" / "classifier.onnx"
INITS: tuple[Init, ...] = ("optimal", "linear", "density", "random")


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("samples", [True, False])
def test_a_layer_has_so_many_values(samples: bool, init: Init) -> None:
    graph, data = conv_network()
    got, changes = applied(Cluster(6, init=init), graph, data if samples else None)
    assert all(2 <= np.unique(w).size <= 6 for w in weights(got))
    assert all(w.dtype == np.int8 and np.abs(w.astype(int)).max() <= 127 for w in weights(got))
    assert [c.effect is not None for c in changes] == [samples] * 3


def test_channels_have_values_of_their_own() -> None:
    graph, samples = dense_network()
    for given_samples in (samples, None):
        got, _ = applied(Cluster(4, scope="channel"), graph, given_samples)
        assert all(np.unique(row).size <= 4 for w in weights(got) for row in w)
        assert np.unique(weights(got)[0]).size > 4
    of_layer, _ = applied(Cluster(4), graph, samples)
    of_channel, _ = applied(Cluster(4, scope="channel"), graph, samples)
    assert noise(graph, of_channel, samples) < noise(graph, of_layer, samples)


def pruned(graph: Graph, share: float) -> Graph:
    """The smallest weights of every layer set to zero."""
    for node in layers(graph):
        weight = node.inputs[1]
        assert weight.const is not None
        limit = np.quantile(np.abs(weight.const.astype(int)), share)
        values = np.where(np.abs(weight.const.astype(int)) > limit, weight.const, 0).astype(np.int8)
        node.inputs[1] = constant(weight.name, values, weight.quant)
    return graph


@pytest.mark.parametrize("samples", [True, False])
def test_zeros_of_a_pruned_layer_stay_and_are_one_of_the_values(samples: bool) -> None:
    graph, data = dense_network()
    got, _ = applied(Cluster(5), pruned(graph, 0.7), data if samples else None)
    for before, after in zip(weights(graph), weights(got), strict=True):
        assert not after[before == 0].any()
        assert np.unique(after).size <= 5
        assert np.count_nonzero(after) > 0.15 * after.size


def test_zeros_of_a_dense_layer_may_become_anything() -> None:
    graph, _ = dense_network()
    got, _ = applied(Cluster(2), graph)
    assert np.count_nonzero(weights(graph)[0] == 0) > 0
    assert not (weights(got)[0] == 0).any()


def test_zeros_may_be_kept_where_they_are_few() -> None:
    graph, _ = dense_network()
    got, _ = applied(Cluster(3, zeros="keep"), graph)
    assert all(np.array_equal(a == 0, b == 0) for a, b in zip(weights(graph), weights(got), strict=True))


def test_samples_make_the_outputs_better() -> None:
    graph, samples = dense_network()
    compensated, _ = applied(Cluster(4), graph, samples)
    weighted, _ = applied(Cluster(4, compensate=False), graph, samples)
    blind, _ = applied(Cluster(4), graph)
    lost = [noise(graph, g, samples) for g in (compensated, weighted, blind)]
    assert lost[0] < 0.5 * min(lost[1:])


def test_weighing_by_the_inputs_makes_the_outputs_better() -> None:
    """Where large inputs meet small weights, values shall be there: Choi et al.'s reason for the Hessian."""
    graph, samples = dense_network(mixed=False)  # whose inputs grow with their number
    weight = graph.nodes[0].inputs[1]
    assert weight.const is not None
    smaller = np.rint(weight.const * np.geomspace(1, 0.05, weight.shape[1])).astype(np.int8)
    graph.nodes[0].inputs[1] = constant(weight.name, smaller, weight.quant)
    weighted, _ = applied(Cluster(6, compensate=False), graph, samples)
    alike, _ = applied(Cluster(6, compensate=False, hessian=False), graph, samples)
    assert noise(graph, weighted, samples) < 0.8 * noise(graph, alike, samples)


def test_the_bias_takes_up_the_mean_error() -> None:
    graph, samples = dense_network()
    options = {"compensate": False, "hessian": False}
    with_samples, _ = applied(Cluster(2, **options), graph, samples)  # type: ignore[arg-type]
    without, _ = applied(Cluster(2, **options), graph)  # type: ignore[arg-type]
    errors = [
        np.abs((outputs(g, samples) - outputs(graph, samples)).mean(axis=0)).max() for g in (with_samples, without)
    ]
    assert errors[0] < 0.3 * errors[1]


def test_so_many_values_change_nothing() -> None:
    graph, _ = dense_network(12, 8)
    got, (change, _) = applied(Cluster(255), graph)
    assert all(np.array_equal(a, b) for a, b in zip(weights(graph), weights(got), strict=True))
    assert change.score == 0


integers = st.lists(st.integers(-127, 127), min_size=3, max_size=12)


def squared_error(codes: Array, weights: Array, values: Array) -> float:
    return float((weights * np.square(codes[:, None] - values).min(axis=1)).sum())


@settings(deadline=None)
@given(integers, st.integers(1, 4), st.randoms(use_true_random=False))
def test_optimal_against_all_partitions(values: list[int], count: int, random) -> None:  # type: ignore[no-untyped-def]
    """One-dimensional clusters are intervals: try all of them. Centroids are rounded, which costs up to half a step."""
    codes = np.sort(np.array(values, np.float64))
    importance = np.array([random.uniform(0.1, 3) for _ in values])
    got = clustered(codes, importance, count, "optimal")
    assert got.size <= count
    least = np.inf
    for cuts in combinations(range(1, codes.size), min(count, codes.size) - 1):
        parts = np.split(np.arange(codes.size), cuts)
        means = np.array([np.average(codes[p], weights=importance[p]) for p in parts])
        least = min(least, squared_error(codes, importance, means))
    assert squared_error(codes, importance, got) <= least + 0.25 * importance.sum() + 1e-9


@pytest.mark.parametrize("init", INITS)
def test_values_that_are_few_are_kept(init: Init) -> None:
    codes = np.array([-90.0, -90.0, 3.0, 50.0, 50.0, 50.0])
    assert clustered(codes, np.ones(6), 3, init).tolist() == [-90, 3, 50]


def test_starts_of_the_iteration() -> None:
    """Two dense heaps and an outlier: an even start has the outlier and the middle, one by density only the heaps."""
    codes = np.array([-1, 0, 1] * 50 + [9, 10, 11] * 50 + [100])
    numbers = np.bincount(codes + 127, minlength=255)
    used = np.flatnonzero(numbers)
    assert start(numbers, used, 3, "linear").tolist() == [-1, 49.5, 100]
    assert start(numbers, used, 4, "density").tolist() == [-1, 1, 9, 11]
    drawn = start(numbers, used, 3, "random")
    assert np.unique(drawn).size == 3 and np.isin(drawn, codes).all()
    assert clustered(codes.astype(float), np.ones(codes.size), 3, "optimal").tolist() == [0, 10, 100]


def test_important_errors_count_more() -> None:
    codes, importance = np.array([0.0, 10.0, 20.0]), np.array([1.0, 1.0, 1e6])
    assert clustered(codes, importance, 2, "optimal")[-1] == 20
    assert clustered(codes, importance[::-1], 2, "optimal")[0] == 0


@pytest.mark.parametrize("count", [0, 1, 256])
def test_options_out_of_range(count: int) -> None:
    with pytest.raises(CompileError) as caught:
        Cluster(count)
    assert caught.value.code == "E0701"


@needs_emulator
def test_bits_on_a_board() -> None:
    images = np.random.default_rng(0).normal(size=(20, 3, 16, 16)).astype(np.float32)
    compiled = mcucompile.compile(
        MODEL, "qemu-m4", calibration=Samples({"image": images}), ranges="minmax", equalize="off",
        passes="cluster=16@*conv*, product_quantize=32+size:2@logits",
    )  # fmt: skip
    assert compiled.verify().ok


def test_damping_must_be_positive() -> None:
    with pytest.raises(CompileError) as caught:
        Cluster(damping=0.0)
    assert caught.value.code == "E0701"


@pytest.mark.parametrize("samples", [True, False])
@pytest.mark.parametrize("scope", ["layer", "channel"])
def test_a_layer_of_zeros_stays(scope: Literal["layer", "channel"], samples: bool) -> None:
    graph, data = dense_network(12, 8)
    weight = graph.nodes[0].inputs[1]
    assert weight.const is not None
    graph.nodes[0].inputs[1] = constant(weight.name, np.zeros_like(weight.const), weight.quant)
    got, (first, second) = applied(Cluster(3, scope), graph, data if samples else None)
    assert not weights(got)[0].any() and weights(got)[1].any()
    assert (first.before, first.after, first.score) == (0, 0, 0)
    assert second.after > 0


@pytest.mark.parametrize("compensated", [True, False])
def test_the_effect_is_relative_to_what_the_codes_aim_at(compensated: bool) -> None:
    """Behind a coarse layer: codes that make up for it have next to no effect of their own, unchanged ones none."""
    graph, samples = dense_network()
    found = integer_layers(graph, layers(graph), samples, 0.05)
    first = next(found)
    share(graph, first, np.rint(first.codes / 40) * 40, "coarse", "weights")
    second = next(found)
    repaired = np.clip(np.rint(second.target), -127, 127)
    assert np.abs(repaired - second.codes).max() > 10
    change = share(graph, second, repaired if compensated else second.codes, "any", "weights", compensated)
    assert change.effect is not None
    assert change.effect < 1e-3 if compensated else change.effect == 0
