import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedules import Sweeps, channels, concat, downward, elementwise, rows, schedules, snapshot, split, widening

from mcucompile.lower.memory import (
    Buffer,
    MemoryStep,
    Only,
    Problem,
    Range,
    Schedule,
    Sweep,
    may_coincide,
    min_distance,
    min_distance_above,
    most_overlap,
    planning_problem,
)
from mcucompile.lower.order import peak_live_nbytes
from mcucompile.lower.plan import lower_bound


def is_safe(trace: Sweeps, input_at: int, output_at: int) -> bool:
    """Byte by byte: no byte of input 0 is read after a byte of output 1 was written to the same address."""
    overwritten: set[int] = set()
    for sweep in trace:
        for i in range(sweep.count):
            for r in sweep.reads:
                start = input_at + r.offset + i * r.stride
                if r.operand == 0 and overwritten & set(range(start, start + r.nbytes)):
                    return False
            for r in sweep.writes:
                start = output_at + r.offset + i * r.stride
                if r.operand == 1:
                    overwritten |= set(range(start, start + r.nbytes))
    return True


def smallest_distance(trace: Sweeps, input_nbytes: int, output_nbytes: int) -> int:
    """Try all distances downward from where nothing overlaps."""
    distance = output_nbytes
    while distance > -input_nbytes and is_safe(trace, distance - 1, 0):
        distance -= 1
    return distance


@st.composite
def traces(draw: st.DrawFn) -> Sweeps:
    """Any ranges within two operands of 16 bytes."""

    def ranges(operand: int, count: int) -> tuple[Range, ...]:
        made = []
        for _ in range(draw(st.integers(0, 2))):
            nbytes, stride = draw(st.integers(1, 4)), draw(st.integers(-2, 3))
            span = stride * (count - 1)
            low, high = max(0, -span), 16 - nbytes - max(0, span)
            if low <= high:
                made.append(Range(operand, draw(st.integers(low, high)), stride, nbytes))
        return tuple(made)

    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    return tuple(Sweep(n, ranges(0, n), ranges(1, n)) for n in counts)


@given(traces())
def test_distance_equals_trying_all_of_them(trace: Sweeps) -> None:
    assert min_distance(trace, 0, 1, 16) == smallest_distance(trace, 16, 16)


@given(traces())
def test_distance_of_the_mirror_image(trace: Sweeps) -> None:
    def mirrored(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
        return tuple(Range(r.operand, 16 - r.offset - r.nbytes, -r.stride, r.nbytes) for r in ranges)

    mirror = tuple(Sweep(s.count, mirrored(s.reads), mirrored(s.writes)) for s in trace)
    assert min_distance_above(trace, 0, 1, 16) == smallest_distance(mirror, 16, 16)


@pytest.mark.parametrize(
    ("trace", "input_nbytes", "distance"),
    [
        pytest.param(elementwise(10), 10, 0, id="in place"),
        # Element i is written to bytes 4i..4i+3 while byte i + 1 is still to be read: 4(i + 1) - (i + 1) at i = 8.
        pytest.param(widening(10, 4), 10, 27, id="int8 to int32"),
        pytest.param(snapshot(10, 10), 10, -10, id="reads all before it writes"),
        # Output row r is finished while input row r is still to be read: (r + 1) * 8 - r * 8.
        pytest.param(rows(5, 8, 8), 40, 8, id="3x3 convolution"),
        # (r + 1) * 12 - r * 8, largest for the last row but one: r = 3.
        pytest.param(rows(5, 8, 12), 40, 24, id="3x3 convolution that widens"),
        # (r + 1) * 4 - r * 8, largest for r = 0.
        pytest.param(rows(5, 8, 4), 40, 4, id="3x3 convolution that narrows"),
        # The first write is to output byte 9, the last read is of input byte 0: nothing may be shared.
        pytest.param(downward(10), 10, 10, id="downward"),
    ],
)
def test_known_distances(trace: Sweeps, input_nbytes: int, distance: int) -> None:
    assert min_distance(trace, 0, 1, input_nbytes) == distance


def test_a_downward_kernel_runs_in_place_from_above() -> None:
    assert min_distance_above(downward(10), 0, 1, 10) == 0


def test_concatenation_finds_its_inputs_in_place() -> None:
    assert [min_distance(concat(4, 6), i, 2, n) for i, n in ((0, 4), (1, 6))] == [0, 4]


def test_split_leaves_its_outputs_in_place() -> None:
    # The second output may lie as far above the input as the first output is long: a negative distance.
    assert [min_distance(split(4, 6), 0, j, 10) for j in (1, 2)] == [0, -4]


def test_distance_of_many_iterations_is_exact() -> None:
    n = 200_000
    assert min_distance(widening(n, 2), 0, 1, n) == n - 1


def chain() -> Schedule:
    steps = (
        MemoryStep("conv", ("x",), ("a",), ("s",), rows(4, 2, 2)),
        MemoryStep("relu", ("a",), ("b",), (), elementwise(8)),
        MemoryStep("add", ("b", "x"), ("y",), (), elementwise(8, 2)),
        MemoryStep("opaque", ("y",), ("z",)),
    )
    nbytes = dict.fromkeys(("x", "a", "b", "y", "z"), 8) | {"s": 4}
    return Schedule(steps, nbytes, dict.fromkeys(nbytes, 4), ("x",), ("z", "b"))


def test_lifetimes_and_gaps_by_hand() -> None:
    problem = planning_problem(chain())
    assert problem.buffers == (
        Buffer("x", 8, 4, -1, 2),
        Buffer("a", 8, 4, 0, 1),
        Buffer("s", 4, 4, 0, 0),
        Buffer("b", 8, 4, 1, 4),
        Buffer("y", 8, 4, 2, 3),
        Buffer("z", 8, 4, 3, 4),
    )
    # Not (a, x): x lives on. Not (y, b): b is an output. Not (z, y): opaque.
    assert problem.gaps == {("b", "a"): 0, ("y", "x"): 0}


def test_interleaved_channels_are_safe_at_the_same_place_only() -> None:
    step = MemoryStep("depthwise", ("x",), ("y",), (), channels(12, 3))
    schedule = Schedule((step,), {"x": 12, "y": 12}, {"x": 1, "y": 1}, ("x",), ("y",))
    gaps = planning_problem(schedule).gaps
    # The last write to channel 0 is of byte 9, before channel 1 is read from byte 1 on.
    assert gaps == {("y", "x"): 10 - 1, ("x", "y"): 0}
    assert isinstance(gaps["x", "y"], Only)


def test_twice_as_many_channels_run_over_those_not_yet_read() -> None:
    read, widened = Sweep(4, (Range(0, 0, 2, 1),), ()), Sweep(4, (), (Range(1, 0, 4, 2),))
    later = Sweep(4, (Range(0, 1, 2, 1),), ()), Sweep(4, (), (Range(1, 2, 4, 2),))
    assert not may_coincide((read, widened, *later), 0, 1)


def test_an_operand_that_is_read_twice_takes_the_stricter_distance() -> None:
    trace = (Sweep(4, (Range(0, 0, 1, 1),), (Range(2, 0, 1, 1),)), Sweep(4, (Range(1, 0, 1, 1),), ()))
    step = MemoryStep("square", ("x", "x"), ("y",), (), trace)
    schedule = Schedule((step,), {"x": 4, "y": 4}, {"x": 1, "y": 1}, ("x",), ("y",))
    assert planning_problem(schedule).gaps == {}


def test_a_buffer_written_by_several_steps_lives_from_the_first() -> None:
    halves = [(Sweep(1, (Range(0, 0, 0, 4),), (Range(1, at, 0, 4),)),) for at in (0, 4)]
    steps = (MemoryStep("p", ("x",), ("y",), (), halves[0]), MemoryStep("q", ("x",), ("y",), (), halves[1]))
    problem = planning_problem(Schedule(steps, {"x": 4, "y": 8}, {"x": 1, "y": 1}, ("x",), ("y",)))
    assert problem.buffers[1] == Buffer("y", 8, 1, 0, 2)
    assert not problem.gaps


def test_reading_what_nobody_wrote_is_refused() -> None:
    schedule = Schedule((MemoryStep("s", ("q",), ("y",)),), {"q": 1, "y": 1}, {"q": 1, "y": 1}, (), ("y",))
    with pytest.raises(AssertionError, match="reads q before any step wrote it"):
        planning_problem(schedule)


def test_gaps_belong_to_buffers_that_meet_in_one_step() -> None:
    a, b = Buffer("a", 4, 1, 0, 2), Buffer("b", 4, 1, 1, 3)
    with pytest.raises(AssertionError, match="do not meet in exactly one step"):
        Problem((a, b), {("b", "a"): 0})


@pytest.mark.parametrize(
    ("dying", "born", "gaps", "shared"),
    [
        ({"a": 10}, {"b": 10}, {("b", "a"): 3}, 7),
        ({"a": 4}, {"b": 10}, {("b", "a"): 3}, 4),
        ({"a": 10}, {"b": 4}, {("b", "a"): -6}, 4),
        ({"a": 10}, {"b": 10}, {("b", "a"): 8, ("a", "b"): 1}, 9),
        ({"a": 6}, {"b": 10}, {("a", "b"): 2}, 4),
        ({"a": 4, "c": 6}, {"b": 10}, {("b", "a"): 0, ("b", "c"): 4}, 10),
        ({"a": 10, "c": 10}, {"b": 10}, {("b", "a"): 0, ("b", "c"): 0}, 10),
        ({"a": 10}, {"b": 10}, {}, 0),
    ],
)
def test_most_overlap(
    dying: dict[str, int], born: dict[str, int], gaps: dict[tuple[str, str], int], shared: int
) -> None:
    assert most_overlap(dying, born, gaps) == shared


@given(schedules())
def test_order_and_planner_count_live_bytes_alike(schedule: Schedule) -> None:
    plain = Schedule(
        schedule.steps, schedule.nbytes, dict.fromkeys(schedule.nbytes, 1), schedule.inputs, schedule.outputs
    )
    assert peak_live_nbytes(plain) == lower_bound(planning_problem(plain))


def test_ranges_and_buffers_are_validated() -> None:
    for make in (lambda: Range(0, 0, 0, 0), lambda: Sweep(0, (), ()), lambda: Buffer("a", 1, 3, 0, 0)):
        with pytest.raises(AssertionError):
            make()


def test_numpy_integers_are_not_leaked() -> None:
    assert not isinstance(min_distance(elementwise(3), 0, 1, 3), np.integer)
