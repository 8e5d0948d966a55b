"""Rounding to few levels: closed forms by hand, compensation against exhaustive search and against plain rounding."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mcucompile.ir import Array
from mcucompile.passes.compress.low_bits import (
    BINARY,
    TERNARY,
    Levels,
    Rounded,
    binary,
    compensated,
    descended,
    inverse_factor,
    nearest,
    rounding_order,
    squared_error,
    sweep,
    ternary,
)

FOUR = Levels(7)


def problem(seed: int, groups: int = 2, outputs: int = 3, inputs: int = 8) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, 50, inputs)) @ rng.normal(size=(groups, inputs, inputs))
    return rng.normal(size=(groups, outputs, inputs)), x.swapaxes(1, 2) @ x / 50 + 0.01 * np.eye(inputs)


def all_kept(target: Array) -> Array:
    return np.ones(target.shape, bool)


def test_levels() -> None:
    steps = np.array([-9.0, -0.4, 0.0, 0.6, 2.5, 9.0])
    np.testing.assert_array_equal(FOUR.nearest(steps), [-7, 0, 0, 1, 2, 7])
    np.testing.assert_array_equal(TERNARY.nearest(steps), [-1, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(BINARY.nearest(steps), [-1, -1, 1, 1, 1, 1])


def test_xnor_by_hand() -> None:
    """Scale = mean |w| = (1 + 2 + 3 + 6) / 4."""
    w = np.array([[[1.0, -2.0, 3.0, -6.0]]])
    got = binary(w, all_kept(w))
    np.testing.assert_array_equal(got.q[0, 0], [1, -1, 1, -1])
    assert got.scales[0, 0] == 3.0


def test_twn_by_hand() -> None:
    """mean |w| = 2.5, threshold 1.75: -2, 3 and 4 stay, whose mean magnitude is 3."""
    w = np.array([[[1.0, -2.0, 3.0, 4.0]]])
    got = ternary(w, all_kept(w))
    np.testing.assert_array_equal(got.q[0, 0], [0, -1, 1, 1])
    assert got.scales[0, 0] == 3.0


def test_twn_threshold() -> None:
    """0.7 of a mean of 1 lies between 0.69 and 0.71."""
    w = np.array([[[0.71, -0.69, 1.6, -1.0], [-0.69, 0.71, 1.0, 1.6]]])
    got = ternary(w, all_kept(w))
    np.testing.assert_array_equal(got.q[0], [[1, 0, 1, -1], [0, 1, 1, 1]])
    np.testing.assert_allclose(got.scales, (0.71 + 1.6 + 1.0) / 3, rtol=1e-6)


def test_large_variances_are_rounded_first() -> None:
    hessian = np.stack([np.diag([1.0, 5.0, 3.0]), np.diag([2.0, 2.0, 9.0])])
    np.testing.assert_array_equal(rounding_order(hessian, True), [[1, 2, 0], [2, 0, 1]])
    np.testing.assert_array_equal(rounding_order(hessian, False), [[0, 1, 2], [0, 1, 2]])


def test_closed_forms_of_a_pruned_channel() -> None:
    """Zeros count neither in the mean nor among the integers; a channel of zeros has the largest scale."""
    w = np.array([[[2.0, 0.0, -4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    for rounded, scale in ((binary(w, w != 0), 3.0), (ternary(w, w != 0), 4.0)):
        assert not rounded.q[w == 0].any()
        np.testing.assert_array_equal(rounded.scales, [[scale, scale]])
    assert binary(w, w != 0).q[0, 0].tolist() == [1, 0, -1, 0]
    assert ternary(w, w != 0).q[0, 0].tolist() == [0, 0, -1, 0]


def test_nearest_is_exact_on_a_grid() -> None:
    """0.25 * (-7 .. 7) with the largest value present."""
    w = 0.25 * np.array([[[-7.0, 3, 0, 1], [7, -2, 2, 5]]])
    got = nearest(w, None, FOUR, all_kept(w))
    np.testing.assert_array_equal(got.values, w)


def test_range_search_cuts_an_outlier() -> None:
    """Two levels on either side: 63 weights of 1 and one of 3. Without the search the ones would become 1.5."""
    w = np.ones((1, 1, 64))
    w[0, 0, 0] = 3.0
    got = nearest(w, None, Levels(2), all_kept(w))
    plain = np.clip(np.rint(w / 1.5), -2, 2) * 1.5
    assert np.square(w - got.values).sum() < 0.1 * np.square(w - plain).sum()


def test_inverse_factor() -> None:
    _, h = problem(1)
    u = inverse_factor(h)
    np.testing.assert_allclose(u.swapaxes(1, 2) @ u, np.linalg.inv(h), rtol=1e-6)
    np.testing.assert_array_equal(u, np.triu(u))


def test_compensation_by_hand() -> None:
    """Two inputs that are nearly the same: rounding 0.4 to 0 leaves 0.4 to the other one, 0.4 + 0.4 becomes 1."""
    h = np.array([[[1.0, 0.999], [0.999, 1.0]]])
    w = np.full((1, 1, 2), 0.4)
    got = sweep(w, h, TERNARY, all_kept(w), np.ones((1, 1)), np.array([[0, 1]]))
    np.testing.assert_array_equal(got.q[0, 0], [0, 1])


def test_order_of_rounding_comes_back() -> None:
    """With independent inputs the order makes no difference."""
    w, _ = problem(2)
    h = np.broadcast_to(np.diag(np.arange(1.0, 9.0)), (2, 8, 8))
    scales = np.full((2, 3), 0.2)
    want = np.clip(np.rint(w / 0.2), -7, 7)
    for order in (np.arange(8), np.arange(8)[::-1]):
        got = sweep(w, h, FOUR, all_kept(w), scales, np.stack([order, order]))
        np.testing.assert_array_equal(got.q, want)


def test_compensated_is_near_the_best_ternary_weights() -> None:
    """All 3^8 integers of 16 outputs, each with its best scale: the search leaves less than a third more error."""
    q = np.array(list(product((-1.0, 0.0, 1.0), repeat=8)))
    q = q[(q != 0).any(axis=1)]
    least, found = 0.0, 0.0
    for seed in range(4):
        w, h = problem(seed, groups=1, outputs=4)
        got = compensated(w, h, TERNARY, all_kept(w), ternary(w, all_kept(w)), True)
        errors = squared_error(w - got.values, h)[0]
        for o in range(4):
            along = np.maximum(q @ h[0] @ w[0, o], 0)
            best = w[0, o] @ h[0] @ w[0, o] - (along**2 / ((q @ h[0]) * q).sum(axis=1)).max()
            assert errors[o] >= best - 1e-6
            least, found = least + float(best), found + float(errors[o])
    assert found <= 1.33 * least


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([FOUR, Levels(3), TERNARY, BINARY]), st.booleans())
def test_compensation_never_loses(seed: int, levels: Levels, ordered: bool) -> None:
    w, h = problem(seed)
    kept = np.random.default_rng(seed).random(w.shape) < 0.8
    w = w * kept
    start = nearest(w, h, levels, kept)
    got = compensated(w, h, levels, kept, start, ordered)
    assert np.all(squared_error(w - got.values, h) <= squared_error(w - start.values, h) * (1 + 1e-9))
    assert not got.q[~kept].any()
    assert np.abs(got.q).max() <= levels.high and np.array_equal(got.q, np.rint(got.q))
    assert levels.has_zero or np.all(got.q[kept] != 0)
    np.testing.assert_array_equal(got.scales, got.scales.astype(np.float32))


def test_descent_finds_the_least_error_of_single_changes() -> None:
    w, h = problem(5)
    start = nearest(w, h, FOUR, all_kept(w))
    got = descended(start, w, h, FOUR, all_kept(w))
    error = squared_error(w - got.values, h)
    for g, o, i in np.ndindex(w.shape):
        for step in (-1, 1):
            q = got.q.copy()
            q[g, o, i] = np.clip(q[g, o, i] + step, -7, 7)
            assert squared_error(w - Rounded(q, got.scales).values, h)[g, o] >= error[g, o] * (1 - 1e-9)


def test_many_samples_help_much() -> None:
    """With inputs this correlated compensation leaves less than half of the error."""
    w, h = problem(6, inputs=40)
    start = nearest(w, None, FOUR, all_kept(w))
    got = compensated(w, h, FOUR, all_kept(w), start, True)
    assert squared_error(w - got.values, h).sum() < 0.5 * squared_error(w - start.values, h).sum()
