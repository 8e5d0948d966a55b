from collections.abc import Iterable, Iterator
from itertools import permutations

import pytest
from hypothesis import given, settings
from schedules import elementwise, schedules

from mcucompile.lower.memory import MemoryStep, Schedule
from mcucompile.lower.order import best_order, peak_live_nbytes


def legal_orders(schedule: Schedule) -> Iterator[tuple[int, ...]]:
    for order in permutations(range(len(schedule.steps))):
        known = set(schedule.inputs)
        for k in order:
            if not set(schedule.steps[k].inputs) <= known:
                break
            known |= set(schedule.steps[k].outputs)
        else:
            yield order


def opaque(schedule: Schedule) -> Schedule:
    steps = (MemoryStep(s.name, s.inputs, s.outputs, s.scratch) for s in schedule.steps)
    return Schedule(tuple(steps), schedule.nbytes, schedule.alignment, schedule.inputs, schedule.outputs)


def plain_peak(schedule: Schedule, order: Iterable[int]) -> int:
    """The largest sum of sizes over time when nothing shares: a buffer is live from its step until its last reader."""
    steps = [schedule.steps[k] for k in order]
    n = len(steps)
    life = {name: [-1, -1] for name in schedule.inputs}
    for k, step in enumerate(steps):
        life |= {name: [k, k] for name in (*step.outputs, *step.scratch)}
        for name in step.inputs:
            life[name][1] = k
    for name in schedule.outputs:
        life[name][1] = n
    return max(
        sum(schedule.nbytes[name] for name, (first, last) in life.items() if first <= k <= last)
        for k in range(-1, n + 1)
    )


@given(schedules(max_steps=6))
@settings(deadline=None, max_examples=60)
def test_equals_the_best_of_all_orders_without_sharing(schedule: Schedule) -> None:
    plain = opaque(schedule)
    best = best_order(plain)
    assert best.optimal
    assert best.peak_nbytes == min(plain_peak(plain, order) for order in legal_orders(plain))
    assert best.peak_nbytes == plain_peak(plain, best.order)


@given(schedules(max_steps=6))
@settings(deadline=None, max_examples=60)
def test_equals_the_best_of_all_orders_with_sharing(schedule: Schedule) -> None:
    best = best_order(schedule)
    assert best.optimal
    assert best.peak_nbytes == min(peak_live_nbytes(schedule.reordered(o)) for o in legal_orders(schedule))
    assert best.peak_nbytes == peak_live_nbytes(schedule.reordered(best.order))
    assert best.peak_nbytes <= plain_peak(schedule, best.order)


@given(schedules(max_steps=8))
@settings(deadline=None, max_examples=60)
def test_legal_and_never_worse_when_the_limit_is_hit(schedule: Schedule) -> None:
    best = best_order(schedule, sets_limit=0)
    known = set(schedule.inputs)
    for k in best.order:
        assert set(schedule.steps[k].inputs) <= known
        known |= set(schedule.steps[k].outputs)
    assert sorted(best.order) == list(range(len(schedule.steps)))
    assert best.peak_nbytes <= peak_live_nbytes(schedule)


def branches(count: int, breadth_first: bool) -> Schedule:
    """x of 1 byte -> `count` branches, each 10 bytes wide in the middle and 1 at the end -> one sum."""
    widen = [MemoryStep(f"widen{i}", ("x",), (f"w{i}",)) for i in range(count)]
    narrow = [MemoryStep(f"narrow{i}", (f"w{i}",), (f"n{i}",)) for i in range(count)]
    middle = widen + narrow if breadth_first else [s for pair in zip(widen, narrow, strict=True) for s in pair]
    join = MemoryStep("join", tuple(f"n{i}" for i in range(count)), ("y",))
    nbytes = {"x": 1, "y": 1} | {f"w{i}": 10 for i in range(count)} | {f"n{i}": 1 for i in range(count)}
    return Schedule((*middle, join), nbytes, dict.fromkeys(nbytes, 1), ("x",), ("y",))


@pytest.mark.parametrize("count", [2, 3, 8])
def test_branches_are_finished_one_by_one(count: int) -> None:
    # Narrowing in the last branch: its w, its n and count - 1 finished ends; x has died. The branch before needs as
    # much: x still lives, but there is one end less.
    best = best_order(branches(count, breadth_first=True))
    assert (best.peak_nbytes, best.optimal) == (10 + count, True)


def test_a_wide_graph_is_improved_even_beyond_the_limit() -> None:
    schedule = branches(24, breadth_first=True)
    assert peak_live_nbytes(schedule) == 240 + 1
    assert best_order(schedule, sets_limit=10).peak_nbytes == 10 + 24


def test_an_optimal_given_order_is_kept() -> None:
    schedule = branches(5, breadth_first=False)
    assert best_order(schedule).order == tuple(range(11))


def test_sharing_decides_where_plain_sizes_do_not() -> None:
    # relu runs in place only if it is the last reader of x. As given x, r and k are live at once while keep runs: 24.
    # With keep first the peak is in join: r, k and y.
    steps = (
        MemoryStep("relu", ("x",), ("r",), (), elementwise(10)),
        MemoryStep("keep", ("x",), ("k",)),
        MemoryStep("join", ("r", "k"), ("y",)),
    )
    nbytes = {"x": 10, "r": 10, "k": 4, "y": 1}
    schedule = Schedule(steps, nbytes, dict.fromkeys(nbytes, 1), ("x",), ("y",))
    assert peak_live_nbytes(schedule) == 24
    best = best_order(schedule)
    assert best.order == (1, 0, 2)
    assert best.peak_nbytes == 15


def test_scratch_counts() -> None:
    steps = (MemoryStep("a", ("x",), ("p",), ("s",)), MemoryStep("b", ("x",), ("q",)))
    nbytes = {"x": 10, "p": 1, "q": 1, "s": 5}
    schedule = Schedule(steps, nbytes, dict.fromkeys(nbytes, 1), ("x",), ("p", "q"))
    # a first: 10 + 1 + 5 = 16; b first: its output is live during a as well.
    assert best_order(schedule).peak_nbytes == 16


def test_writers_of_one_buffer_keep_their_order() -> None:
    part = elementwise(1)
    steps = (
        MemoryStep("p", ("a",), ("y",), (), part),
        MemoryStep("q", ("b",), ("y",), (), part),
        MemoryStep("r", ("y",), ("z",)),
    )
    nbytes = {"a": 1, "b": 9, "y": 4, "z": 1}
    schedule = Schedule(steps, nbytes, dict.fromkeys(nbytes, 1), ("a", "b"), ("z",))
    assert best_order(schedule).order == (0, 1, 2)


def test_a_buffer_is_read_before_it_is_written_again() -> None:
    # Writing y again first would be cheaper, since b is large, but peek must see what p wrote.
    part = elementwise(1)
    steps = (
        MemoryStep("p", ("a",), ("y",), (), part),
        MemoryStep("peek", ("y",), ("z",)),
        MemoryStep("q", ("b",), ("y",), (), part),
        MemoryStep("r", ("y",), ("o",)),
    )
    nbytes = {"a": 1, "b": 9, "y": 4, "z": 4, "o": 1}
    schedule = Schedule(steps, nbytes, dict.fromkeys(nbytes, 1), ("a", "b"), ("z", "o"))
    assert best_order(schedule).order == (0, 1, 2, 3)


def test_no_steps() -> None:
    best = best_order(Schedule((), {"x": 3}, {"x": 1}, ("x",), ("x",)))
    assert (best.order, best.peak_nbytes, best.optimal) == ((), 3, True)
