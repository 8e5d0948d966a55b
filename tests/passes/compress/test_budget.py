"""Sharing out a budget, against trying everything."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from mcucompile.passes.compress.decomposition import distribute

Choices = list[tuple[int, float]]


def test_the_layer_that_loses_least_gives_first() -> None:
    first: Choices = [(100, 0.0), (50, 0.1), (20, 0.5)]
    second: Choices = [(100, 0.0), (50, 0.3), (20, 0.9)]
    assert distribute([first, second], 200) == [0, 0]
    assert distribute([first, second], 150) == [1, 0]
    assert distribute([first, second], 100) == [1, 1]
    assert distribute([first, second], 40) == [2, 2]


def test_a_budget_that_cannot_be_kept_gives_the_cheapest() -> None:
    assert distribute([[(10, 0.0), (5, 1.0)]], 1) == [1]


def test_dominated_choices_are_not_taken() -> None:
    assert distribute([[(100, 0.0), (90, 0.9), (50, 0.1), (60, 0.1)]], 90) == [2]


layers = st.lists(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 1.0)), max_size=4).map(lambda more: [(60, 0.0), *more]),
    min_size=1, max_size=3,
)  # fmt: skip


@given(layers, st.integers(1, 180))
def test_within_one_step_of_the_best(choices: list[Choices], budget: int) -> None:
    """The greedy answer keeps every budget that can be kept, and no cheaper one loses less."""
    taken = distribute(choices, budget)
    cost = sum(c[k][0] for c, k in zip(choices, taken, strict=True))
    lost = sum(c[k][1] for c, k in zip(choices, taken, strict=True))
    assert cost <= max(budget, sum(min(c)[0] for c in choices))
    every = [(sum(c for c, _ in picked), sum(v for _, v in picked)) for picked in product(*choices)]
    assert all(v >= lost - 1e-9 for c, v in every if c <= cost), "another choice of this cost would lose less"
