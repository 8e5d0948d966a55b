import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from rules import fits, may_coexist
from schedules import concat, elementwise, problems, rows, schedules, split, widening

from mcucompile.errors import CompileError
from mcucompile.lower.check_plan import PlanError, check
from mcucompile.lower.conflicts import conflicts_of
from mcucompile.lower.memory import Buffer, MemoryPlan, MemoryStep, Problem, Schedule, Trace, planning_problem
from mcucompile.lower.ortools_plan import prove_with_ortools
from mcucompile.lower.plan import lower_bound, peak_step, place, plan


@given(problems(max_buffers=5, max_nbytes=6))
@settings(deadline=None, max_examples=150)
def test_tiny_problems_equal_trying_all_offsets(problem: Problem) -> None:
    found = plan(problem)
    assert found.optimal
    assert found.lower_bound == found.arena_nbytes
    assert fits(problem, found.arena_nbytes)
    assert not fits(problem, found.arena_nbytes - 1)
    assert lower_bound(problem) <= found.arena_nbytes
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, found.offsets[a.name], b, found.offsets[b.name])


@given(problems(max_buffers=12, max_nbytes=40))
@settings(deadline=None, max_examples=60)
def test_random_problems_obey_the_rules(problem: Problem) -> None:
    found = plan(problem, effort=50_000)
    for b in problem.buffers:
        assert found.offsets[b.name] % b.alignment == 0
        assert 0 <= found.offsets[b.name] <= found.arena_nbytes - b.nbytes
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, found.offsets[a.name], b, found.offsets[b.name])
    assert lower_bound(problem) <= found.lower_bound <= found.arena_nbytes
    assert found.optimal == (found.lower_bound == found.arena_nbytes)


@given(schedules(max_steps=8, max_nbytes=12))
@settings(deadline=None)
def test_plans_of_random_schedules_pass_the_checker(schedule: Schedule) -> None:
    problem = planning_problem(schedule)
    for effort in (0, 50_000):
        found = plan(problem, effort)
        check(schedule, found.offsets, found.arena_nbytes)
        assert found.arena_nbytes >= lower_bound(problem)


@given(schedules(max_steps=5, max_nbytes=6))
@settings(deadline=None, max_examples=60)
def test_a_smaller_arena_than_the_optimum_is_caught(schedule: Schedule) -> None:
    found = plan(planning_problem(schedule))
    with pytest.raises(PlanError, match="outside the arena"):
        check(schedule, found.offsets, found.arena_nbytes - 1)


@pytest.mark.parametrize("seed", range(6))
def test_no_offsets_at_all_pass_the_checker_in_a_smaller_arena(seed: int) -> None:
    """Against the checker itself, without the planner's idea of lifetimes and distances."""
    rng = random.Random(seed)
    n = rng.randint(1, 3)
    second: tuple[int, Trace] = rng.choice([(n, elementwise(n)), (2 * n, widening(n, 2)), (n, None)])
    third: tuple[int, Trace] = rng.choice([(second[0], elementwise(second[0])), (1, None)])
    steps = (
        MemoryStep("s", ("a",), ("b",), (), second[1]),
        MemoryStep("t", ("b",), ("c",), (), third[1]),
    )
    nbytes = {"a": n, "b": second[0], "c": third[0]}
    schedule = Schedule(steps, nbytes, dict.fromkeys(nbytes, 1), ("a",), rng.choice([("c",), ("c", "a")]))
    arena = plan(planning_problem(schedule)).arena_nbytes
    for offsets in product(range(arena), repeat=3):
        with pytest.raises(PlanError):
            check(schedule, dict(zip("abc", offsets, strict=True)), arena - 1)


def network(steps: list[MemoryStep], nbytes: dict[str, int], outputs: tuple[str, ...]) -> Schedule:
    return Schedule(tuple(steps), nbytes, dict.fromkeys(nbytes, 4), ("x",), outputs)


def test_chain_without_sharing_needs_its_largest_neighbours() -> None:
    sizes = {"x": 100, "a": 400, "b": 200, "c": 300, "d": 40}
    names = list(sizes)
    steps = [MemoryStep(b, (a,), (b,)) for a, b in pairwise(names)]
    found = plan(planning_problem(network(steps, sizes, ("d",))))
    assert (found.arena_nbytes, found.optimal) == (600, True)


def test_chain_in_place_needs_its_largest_tensor() -> None:
    sizes = dict.fromkeys(("x", "a", "b", "c"), 400)
    names = list(sizes)
    steps = [MemoryStep(b, (a,), (b,), (), elementwise(400)) for a, b in pairwise(names)]
    found = plan(planning_problem(network(steps, sizes, ("c",))))
    assert (found.arena_nbytes, set(found.offsets.values())) == (400, {0})


def test_convolution_overlaps_by_all_but_a_row() -> None:
    steps = [MemoryStep("conv", ("x",), ("y",), ("w",), rows(10, 40, 40))]
    found = plan(planning_problem(network(steps, {"x": 400, "y": 400, "w": 36}, ("y",))))
    # One row more than the tensor, and the scratch.
    assert found.arena_nbytes == 400 + 40 + 36
    assert found.offsets["x"] - found.offsets["y"] == 40


def test_chain_of_convolutions_walks_down() -> None:
    names = ["x", *(f"c{i}" for i in range(6))]
    steps = [MemoryStep(b, (a,), (b,), (), rows(10, 40, 40)) for a, b in pairwise(names)]
    found = plan(planning_problem(network(steps, dict.fromkeys(names, 400), ("c5",))))
    # Each tensor lies a row below the one before: 7 tensors span 6 rows more than one tensor. Were one to start again
    # at the top it would have to be apart from its input: 800.
    assert found.arena_nbytes == 400 + 6 * 40
    assert found.optimal


def test_residual_block_adds_in_place() -> None:
    steps = [
        MemoryStep("conv1", ("x",), ("a",)),
        MemoryStep("conv2", ("a",), ("b",)),
        MemoryStep("add", ("x", "b"), ("y",), (), elementwise(400, 2)),
    ]
    found = plan(planning_problem(network(steps, dict.fromkeys("xaby", 400), ("y",))))
    # x, a and b are live together while conv2 runs; y takes the place of x or b.
    assert (found.arena_nbytes, found.optimal) == (1200, True)
    assert found.offsets["y"] in (found.offsets["x"], found.offsets["b"])


def test_split_and_concatenation_move_nothing() -> None:
    steps = [
        MemoryStep("split", ("x",), ("a", "b"), (), split(100, 300)),
        MemoryStep("concat", ("a", "b"), ("y",), (), concat(100, 300)),
    ]
    found = plan(planning_problem(network(steps, {"x": 400, "a": 100, "b": 300, "y": 400}, ("y",))))
    assert (found.arena_nbytes, found.optimal) == (400, True)


def test_alignment_costs_what_it_must() -> None:
    buffers = tuple(Buffer(name, 5, 4, 0, 0) for name in "abc")
    found = plan(Problem(buffers, {}))
    # Two of them take 8 bytes, the last one 5: known from the sizes alone.
    assert (found.arena_nbytes, lower_bound(Problem(buffers, {}))) == (21, 21)


def test_no_arena_is_smaller_than_its_largest_buffer() -> None:
    # x may end two bytes into y, which is more than x has.
    problem = Problem((Buffer("x", 1, 2, -1, 0), Buffer("y", 2, 2, 0, 0)), {("x", "y"): -2})
    found = plan(problem)
    assert (found.arena_nbytes, found.lower_bound) == (2, 2)


def test_the_optimum_may_lie_above_the_live_bytes() -> None:
    # In 4 bytes c, say, takes the lower half (a the upper one), so e and f take the upper half in step 4. In step 7 b
    # and d take one half each, and because of f in step 6 that of d is the lower one. There f leaves g one place, the
    # one of e, which is still live in step 5.
    buffers = (
        Buffer("a", 2, 1, 2, 3),
        Buffer("b", 2, 1, 7, 7),
        Buffer("c", 2, 1, 1, 4),
        Buffer("d", 2, 1, 6, 7),
        Buffer("e", 1, 1, 4, 5),
        Buffer("f", 1, 1, 4, 6),
        Buffer("g", 1, 1, 5, 6),
    )
    problem = Problem(buffers, {})
    assert lower_bound(problem) == 4
    assert not fits(problem, 4)
    found = plan(problem)
    assert (found.arena_nbytes, found.lower_bound, found.optimal) == (5, 5, True)


def test_a_buffer_goes_into_the_lowest_place_that_fits() -> None:
    # c and d are placed last: c just fills the hole of 2 bytes between a and b, d does not fit there.
    sizes = {"a": 2, "hole": 2, "b": 3, "c": 2, "d": 3}
    lives = {"a": (0, 1), "hole": (0, 0), "b": (0, 1), "c": (1, 1), "d": (1, 1)}
    problem = Problem(tuple(Buffer(n, sizes[n], 1, *lives[n]) for n in sizes), {})
    assert place(conflicts_of(problem), range(5)) == [0, 2, 4, 2, 7]


def test_peak_step_is_where_most_is_live() -> None:
    buffers = (Buffer("a", 10, 1, -1, 0), Buffer("b", 30, 1, 0, 1), Buffer("c", 20, 1, 1, 2))
    assert peak_step(Problem(buffers, {})) == 1


def test_nothing_to_place() -> None:
    found = plan(Problem((), {}))
    assert (found.offsets, found.arena_nbytes, found.optimal) == ({}, 0, True)


def crowd(seed: int, buffers: int, steps: int, longest_life: int) -> Problem:
    rng = random.Random(seed)
    made = []
    for i in range(buffers):
        first = rng.randrange(steps)
        last = min(steps - 1, first + rng.randrange(1, longest_life))
        made.append(Buffer(f"t{i}", 16 * rng.randrange(1, 128), 16, first, last))
    return Problem(tuple(made), {})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("steps", "longest_life"), [(60, 8), (30, 6), (40, 12), (20, 10)])
def test_sixty_tensors_come_within_two_percent(seed: int, steps: int, longest_life: int) -> None:
    problem = crowd(seed, 60, steps, longest_life)
    found = plan(problem)
    live = max(sum(b.nbytes for b in problem.live(k)) for k in problem.steps)
    assert found.optimal or found.arena_nbytes <= 1.02 * live
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, found.offsets[a.name], b, found.offsets[b.name])


def test_the_same_plan_in_every_process() -> None:
    script = "from test_plan import crowd, plan; print(plan(crowd(2, 60, 60, 8)))"
    root = Path(__file__).parents[2]
    printed = set()
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join((str(root), str(Path(__file__).parent))),
        }
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1


def test_ortools_proves_what_was_left_open() -> None:
    pytest.importorskip("ortools", reason="OR-tools is not installed: pip install mcucompile[plan]")
    problem = crowd(2, 60, 60, 8)
    rough = plan(problem, effort=0)
    assert not rough.optimal
    proved = prove_with_ortools(problem, rough)
    assert proved.optimal
    assert proved.arena_nbytes == plan(problem).arena_nbytes
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, proved.offsets[a.name], b, proved.offsets[b.name])


@given(problems(max_buffers=6, max_nbytes=6))
@settings(deadline=None, max_examples=40)
def test_ortools_agrees_with_the_exact_search(problem: Problem) -> None:
    pytest.importorskip("ortools", reason="OR-tools is not installed: pip install mcucompile[plan]")
    offsets = {b.name: 8 * i for i, b in enumerate(problem.buffers)}
    wasteful = MemoryPlan(offsets, 8 * len(offsets), lower_bound(problem), optimal=False)
    proved = prove_with_ortools(problem, wasteful)
    assert proved.optimal
    assert proved.arena_nbytes == proved.lower_bound == plan(problem).arena_nbytes
    for b in problem.buffers:
        assert proved.offsets[b.name] % b.alignment == 0
        assert 0 <= proved.offsets[b.name] <= proved.arena_nbytes - b.nbytes
    for a, b in combinations(problem.buffers, 2):
        assert may_coexist(problem, a, proved.offsets[a.name], b, proved.offsets[b.name])


def test_ortools_missing_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    problem = crowd(2, 60, 60, 8)
    with pytest.raises(CompileError) as error:
        prove_with_ortools(problem, plan(problem, effort=0))
    assert error.value.code == "E0503"
    assert "mcucompile[plan]" in error.value.fix


def test_ortools_is_not_asked_for_what_is_proved() -> None:
    problem = Problem((Buffer("a", 4, 4, 0, 0),), {})
    found = plan(problem)
    assert prove_with_ortools(problem, replace(found)) == found
