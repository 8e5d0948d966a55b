import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedules import apart, computed_outputs, elementwise, rows, schedules

from mcucompile.lower.check_plan import PlanError, check
from mcucompile.lower.memory import MemoryStep, Range, Schedule, Sweep


def one_step(trace: tuple[Sweep, ...] | None, nbytes: int = 8, scratch: tuple[str, ...] = ()) -> Schedule:
    sizes = {"x": nbytes, "y": nbytes} | dict.fromkeys(scratch, nbytes)
    return Schedule((MemoryStep("s", ("x",), ("y",), scratch, trace),), sizes, dict.fromkeys(sizes, 1), ("x",), ("y",))


@given(schedules())
def test_separate_buffers_always_pass(schedule: Schedule) -> None:
    offsets, arena = apart(schedule)
    check(schedule, offsets, arena)


@given(schedules(), st.data())
def test_whatever_passes_computes_what_separate_buffers_compute(schedule: Schedule, data: st.DataObject) -> None:
    arena = data.draw(st.integers(8, 48))
    offsets = {}
    for name, n in schedule.nbytes.items():
        alignment = schedule.alignment[name]
        offsets[name] = data.draw(st.integers(0, max(0, arena - n) // alignment)) * alignment
    try:
        check(schedule, offsets, arena)
    except PlanError:
        return
    assert computed_outputs(schedule, offsets) == computed_outputs(schedule, apart(schedule)[0])


@given(schedules(max_steps=4), st.data())
def test_moving_one_buffer_onto_another_is_caught_if_it_changes_a_result(
    schedule: Schedule, data: st.DataObject
) -> None:
    offsets, arena = apart(schedule)
    moved, onto = data.draw(st.sampled_from(sorted(offsets))), data.draw(st.sampled_from(sorted(offsets)))
    broken = offsets | {moved: offsets[onto]}
    if computed_outputs(schedule, broken) != computed_outputs(schedule, offsets):
        with pytest.raises(PlanError):
            check(schedule, broken, arena + 32)


def test_in_place_is_fine_at_zero_and_above_but_not_below() -> None:
    schedule = one_step(elementwise(8))
    check(schedule, {"x": 0, "y": 0}, 8)
    check(schedule, {"x": 3, "y": 0}, 11)
    with pytest.raises(PlanError, match=r"step 0 \(s\): reads bytes \[1, 2\) of x, .* byte 1 \(arena 1\) holds y"):
        check(schedule, {"x": 0, "y": 1}, 9)


def test_convolution_needs_one_row_of_distance() -> None:
    schedule = one_step(rows(4, 2, 2))
    check(schedule, {"x": 2, "y": 0}, 10)
    with pytest.raises(PlanError, match="holds y"):
        check(schedule, {"x": 1, "y": 0}, 9)


def test_opaque_steps_share_nothing() -> None:
    with pytest.raises(PlanError, match=r"x and y share bytes \[7, 8\)"):
        check(one_step(None), {"x": 0, "y": 7}, 15)


def test_scratch_shares_nothing_even_where_no_byte_is_read_again() -> None:
    schedule = one_step(elementwise(8), scratch=("w",))
    with pytest.raises(PlanError, match=r"w and y share bytes \[8, 9\)"):
        check(schedule, {"x": 0, "y": 1, "w": 8} | {"x": 20}, 40)


def test_scratch_over_a_buffer_that_only_later_steps_read_is_caught() -> None:
    steps = (
        MemoryStep("s", ("x",), ("y",), ("w",), elementwise(4)),
        MemoryStep("t", ("y", "z"), ("o",)),
    )
    schedule = Schedule(steps, dict.fromkeys("xyzwo", 4), dict.fromkeys("xyzwo", 1), ("x", "z"), ("o",))
    check(schedule, {"x": 0, "y": 0, "z": 4, "w": 8, "o": 8}, 12)
    with pytest.raises(PlanError, match=r"step 1 \(t\): .* of z, .* holds w"):
        check(schedule, {"x": 0, "y": 0, "z": 4, "w": 5, "o": 9}, 13)


def test_graph_inputs_are_apart() -> None:
    schedule = Schedule((), {"a": 4, "b": 4}, {"a": 1, "b": 1}, ("a", "b"), ())
    with pytest.raises(PlanError, match=r"the graph inputs: a and b share bytes \[2, 4\)"):
        check(schedule, {"a": 0, "b": 2}, 8)


def test_a_graph_output_overwritten_later_is_caught() -> None:
    steps = (MemoryStep("s", ("x",), ("y",)), MemoryStep("t", ("x",), ("z",)))
    schedule = Schedule(steps, dict.fromkeys("xyz", 4), dict.fromkeys("xyz", 1), ("x",), ("y", "z"))
    with pytest.raises(PlanError, match=r"the graph outputs: .* y, but its byte 0 \(arena 4\) holds z"):
        check(schedule, {"x": 0, "y": 4, "z": 4}, 8)


def test_a_later_reader_of_an_overwritten_input_is_caught() -> None:
    steps = (
        MemoryStep("s", ("x",), ("y",), (), elementwise(4)),
        MemoryStep("t", ("x", "y"), ("z",), (), elementwise(4, 2)),
    )
    schedule = Schedule(steps, dict.fromkeys("xyz", 4), dict.fromkeys("xyz", 1), ("x",), ("z",))
    with pytest.raises(PlanError, match=r"step 1 \(t\): .* of x, .* holds y"):
        check(schedule, {"x": 0, "y": 0, "z": 4}, 8)


@pytest.mark.parametrize(
    ("offsets", "arena", "message"),
    [
        ({"x": 0, "y": 8}, 15, r"y at bytes \[8, 16\) is outside the arena of 15 bytes"),
        ({"x": -1, "y": 8}, 16, "x at bytes .* is outside"),
        ({"x": 0}, 16, "y has no place"),
    ],
)
def test_places(offsets: dict[str, int], arena: int, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        check(one_step(None), offsets, arena)


def test_alignment() -> None:
    schedule = replace(one_step(None), alignment={"x": 1, "y": 4})
    check(schedule, {"x": 0, "y": 8}, 16)
    with pytest.raises(PlanError, match="y at byte 10 is not aligned to 4"):
        check(schedule, {"x": 0, "y": 10}, 18)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (Sweep(9, (Range(0, 0, 1, 1),), (Range(1, 0, 0, 8),)), r"touches bytes \[8, 9\) of x, which has 8"),
        (Sweep(1, (), (Range(1, -1, 0, 2),)), r"touches bytes \[-1, 1\) of y"),
        (Sweep(1, (), (Range(0, 0, 0, 8),)), "writes to x, which is not an output"),
        (Sweep(1, (Range(2, 0, 0, 8),), ()), "names operand 2, but the step has 2"),
        (Sweep(1, (Range(0, 0, 0, 8),), (Range(1, 0, 0, 7),)), r"of y, but its byte 7 \(arena 15\) was never written"),
    ],
)
def test_traces_that_lie(sweep: Sweep, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        check(one_step((sweep,)), {"x": 0, "y": 8}, 16)


def test_parts_of_one_output_need_traces() -> None:
    halves = [(Sweep(1, (Range(0, 0, 0, 4),), (Range(1, at, 0, 4),)),) for at in (0, 4)]
    steps = (MemoryStep("p", ("x",), ("y",), (), halves[0]), MemoryStep("q", ("x",), ("y",), (), halves[1]))
    schedule = Schedule(steps, {"x": 4, "y": 8}, {"x": 1, "y": 1}, ("x",), ("y",))
    check(schedule, {"x": 0, "y": 4}, 12)
    with pytest.raises(PlanError, match=r"step 1 \(q\): y was written before"):
        check(replace(schedule, steps=(steps[0], replace(steps[1], trace=None))), {"x": 0, "y": 4}, 12)


def test_steps_without_a_name_in_common_may_reuse_memory() -> None:
    names = "abcd"
    steps = tuple(MemoryStep(f"s{i}", (a,), (b,)) for i, (a, b) in enumerate(pairwise(names)))
    schedule = Schedule(steps, dict.fromkeys(names, 4), dict.fromkeys(names, 4), ("a",), ("d",))
    check(schedule, {"a": 0, "b": 4, "c": 0, "d": 4}, 8)


def test_many_iterations_are_replayed_one_by_one() -> None:
    # A generous bound on work, not a benchmark: 1e5 iterations take about 0.1 s.
    n = 100_000
    schedule = one_step(elementwise(n), nbytes=n)
    begin = time.process_time()
    check(schedule, {"x": 0, "y": 0}, n)
    with pytest.raises(PlanError, match="byte 1 "):
        check(schedule, {"x": 0, "y": 1}, n + 1)
    assert time.process_time() - begin < 20
