"""Optimal brain surgeon against brute force on tiny layers: every subset of weights fitted by least squares."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.ir import Array
from mcucompile.passes.compress.brain_surgeon import (
    Layer,
    Pattern,
    best,
    best_of_sets,
    first_scores,
    operations,
    pruned,
    removal_costs,
    rounds,
)

SINGLES = np.arange(6)[:, None]


def problem(seed: int, groups: int = 1, outputs: int = 1, inputs: int = 6) -> tuple[Array, Array]:
    """Weights and a Hessian of correlated inputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, 40, inputs)) @ rng.normal(size=(groups, inputs, inputs))
    return rng.normal(size=(groups, outputs, inputs)), x.swapaxes(1, 2) @ x / 40


def fitted_without(w: Array, h: Array, removed: tuple[int, ...]) -> tuple[float, Array]:
    """The least error of one output without some inputs, and its weights, by minimising directly."""
    left = [i for i in range(len(w)) if i not in removed]
    root = np.linalg.cholesky(h).T
    solution, *_ = np.linalg.lstsq(root[:, left], root @ w, rcond=None)
    v = np.zeros_like(w)
    v[left] = solution
    return float((w - v) @ h @ (w - v)), v


@pytest.mark.parametrize("seed", range(5))
def test_one_removed_weight_is_the_best_one(seed: int) -> None:
    w, h = problem(seed)
    layer = Layer(w, w, h, Pattern(SINGLES))
    highest = pruned(layer, "obs", 5)
    errors = [fitted_without(w[0, 0], h[0], (i,)) for i in range(6)]
    least, values = min(errors, key=lambda e: e[0])
    np.testing.assert_allclose(layer.values[0, 0], values, rtol=1e-6, atol=1e-9)
    assert highest == pytest.approx(least)


def test_scores_are_what_the_error_grows_by() -> None:
    w, h = problem(7, outputs=2)
    scores = Layer(w, w, h, Pattern(SINGLES)).surgeon_scores()
    want = [[fitted_without(w[0, o], h[0], (i,))[0] for i in range(6)] for o in range(2)]
    np.testing.assert_allclose(scores[0], want, rtol=1e-6)


def test_scores_of_blocks_shared_by_outputs() -> None:
    """Inputs 0-3 and 4-5 are units; two outputs share a pattern, the third has one alone."""
    w, h = problem(8, outputs=3)
    units = np.array([[0, 1, 2, 3], [4, 5, -1, -1]])
    scores = Layer(w, w, h, Pattern(units, bundle=2)).surgeon_scores()
    cost = [[fitted_without(w[0, o], h[0], u)[0] for u in ((0, 1, 2, 3), (4, 5))] for o in range(3)]
    np.testing.assert_allclose(scores[0], [np.add(cost[0], cost[1]), cost[2]], rtol=1e-6)


def test_scores_after_a_removal_are_of_what_is_left() -> None:
    w, h = problem(9)
    layer = Layer(w, w, h, Pattern(SINGLES))
    layer.live[0, 0, 2] = False
    first, _ = fitted_without(w[0, 0], h[0], (2,))
    scores = layer.surgeon_scores()
    for i in (0, 1, 3, 4, 5):
        assert scores[0, 0, i] == pytest.approx(fitted_without(w[0, 0], h[0], (2, i))[0] - first, rel=1e-6)


@pytest.mark.parametrize("left", [1, 3])
def test_what_stays_is_fitted_exactly(left: int) -> None:
    w, h = problem(3, groups=2, outputs=2)
    layer = Layer(w, w, h, Pattern(SINGLES))
    pruned(layer, "obs", 4 * left)
    assert np.count_nonzero(layer.values) == 4 * left
    for g, o in np.ndindex(2, 2):
        removed = tuple(np.flatnonzero(layer.values[g, o] == 0))
        np.testing.assert_allclose(layer.values[g, o], fitted_without(w[g, o], h[g], removed)[1], rtol=1e-6, atol=1e-9)


def test_several_rounds_come_near_the_best_subset() -> None:
    """Greedy removal is not exhaustive search, but over 20 problems it loses little, and magnitude twice as much."""
    lost = {"obs": 0.0, "magnitude": 0.0}
    total = 0.0
    for seed in range(20):
        w, h = problem(seed + 100)
        total += min(fitted_without(w[0, 0], h[0], c)[0] for c in combinations(range(6), 4))
        for criterion in ("obs", "magnitude"):
            layer = Layer(w, w, h, Pattern(SINGLES))
            pruned(layer, criterion, 2)  # type: ignore[arg-type]
            e = (w - layer.values)[0, 0]
            lost[criterion] += float(e @ h[0] @ e)
    assert lost["obs"] < 1.3 * total
    assert lost["magnitude"] > 2 * lost["obs"]


def test_magnitude_and_obd_by_hand() -> None:
    """|w|^2 = 1, 4, 9; w^2 H = 16, 12, 9: the smallest weight is not the least important one. The others stay."""
    w = np.array([[[1.0, 2.0, 3.0]]])
    h = np.diag([16.0, 3.0, 1.0])[None]
    units = np.arange(3)[:, None]
    for criterion, want, score in (("magnitude", [0, 2, 3], 1.0), ("obd", [1, 2, 0], 9.0)):
        layer = Layer(w, w, h, Pattern(units))
        assert pruned(layer, criterion, 2) == score  # type: ignore[arg-type]
        np.testing.assert_array_equal(layer.values[0, 0], want)


def test_earlier_zeros_stay() -> None:
    """Even where the target would have another value there."""
    w, h = problem(4)
    w[0, 0, 1] = 0.0
    layer = Layer(w, w + 1.0, h, Pattern(SINGLES))
    pruned(layer, "obs", 5)
    assert layer.values[0, 0, 1] == 0.0 and np.count_nonzero(layer.values) == 5


def test_everything_may_go() -> None:
    w, h = problem(5)
    layer = Layer(w, w, h, Pattern(SINGLES))
    pruned(layer, "obs", 0)
    assert not layer.values.any()


def test_no_weight_moves_where_nothing_is_lost() -> None:
    w, h = problem(6)
    layer = Layer(w, w, h, Pattern(SINGLES))
    assert pruned(layer, "obs", 6) == 0.0
    np.testing.assert_allclose(layer.values, w, rtol=1e-6)


def test_first_scores_leave_the_criterion_to_choose() -> None:
    w, h = problem(11)
    layer = Layer(w, w, h, Pattern(SINGLES))
    np.testing.assert_allclose(first_scores(layer, "magnitude")[0, 0], w[0, 0] ** 2)
    np.testing.assert_allclose(first_scores(layer, "obd")[0, 0], w[0, 0] ** 2 * np.diag(h[0]))


def test_costs_rise_once_nobody_can_make_up() -> None:
    """Two inputs that are all but the same: each alone costs nearly nothing, both together all that they carry."""
    w = np.array([[[1.0, 1.0, 0.1]]])
    h = np.array([[[1.0, 0.9999, 0.0], [0.9999, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    layer = Layer(w, w, h, Pattern(np.arange(3)[:, None]))
    assert layer.surgeon_scores()[0, 0].max() < 0.02
    costs = removal_costs(layer, "obs", 0)[0, 0]
    assert np.sort(costs)[2] == pytest.approx(4, rel=0.01)
    assert costs[2] == pytest.approx(0.01)


def test_costs_of_what_is_left_are_infinite() -> None:
    w = np.array([[[1.0, 0.0, 3.0, 2.0]]])
    layer = Layer(w, w, np.eye(4)[None], Pattern(np.arange(4)[:, None]))
    np.testing.assert_allclose(removal_costs(layer, "magnitude", 1)[0, 0], [1, 0, np.inf, 4])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(0, 12))
def test_best_takes_the_highest(scores: list[int], count: int) -> None:
    chosen = best(np.array(scores, float), count)
    kept, dropped = np.array(scores)[chosen], np.array(scores)[~chosen]
    assert len(kept) == min(count, len(scores))
    assert not len(kept) or not len(dropped) or kept.min() >= dropped.max()


def test_best_of_sets_by_hand() -> None:
    sets = np.array([[0, 1, 2], [3, 4, -1]])
    scores = np.array([[5.0, 7.0, 6.0, 0.0, 1.0]])
    np.testing.assert_array_equal(best_of_sets(scores, sets, 1), [[False, True, False, False, True]])
    np.testing.assert_array_equal(best_of_sets(scores, sets, 2), [[False, True, True, True, True]])


@pytest.mark.parametrize("left", [270, 200, 40])
def test_operations_are_those_that_are_done(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """2 n^3 for the inverse of an n x n matrix, 2/3 n^3 for the solution of equations, whatever is done with them."""
    weights, hessian = problem(3, outputs=10, inputs=30)
    layer = of_singles(weights, hessian)
    counts = rounds(layer, left)
    expected = operations(layer, counts, 300)
    done: list[float] = []
    for name, factor in (("inv", 2.0), ("solve", 2 / 3)):
        original = getattr(np.linalg, name)

        def counted(
            a: Array, *rest: Array, _original: Callable[..., Array] = original, _factor: float = factor
        ) -> Array:
            done.append(_factor * a.shape[-1] ** 3 * a[..., 0, 0].size)
            return _original(a, *rest)

        monkeypatch.setattr(np.linalg, name, counted)
    pruned(layer, "obs", left)
    assert sum(done) - 2 * 30**3 == pytest.approx(expected, rel=0.15)


def of_singles(weights: Array, hessian: Array) -> Layer:
    return Layer(weights, weights, hessian, Pattern(np.arange(weights.shape[-1])[:, None]))
