from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from rules import fits, may_coexist
from schedules import problems

from mcucompile.lower.conflicts import conflicts_of
from mcucompile.lower.exact_plan import fit
from mcucompile.lower.memory import Buffer, Problem
from mcucompile.lower.plan import lower_bound


@given(problems(max_buffers=8, max_nbytes=4), st.integers(-1, 4))
@settings(deadline=None, max_examples=400)
def test_the_answer_equals_trying_all_offsets(problem: Problem, spare: int) -> None:
    arena_nbytes = max(lower_bound(problem) + spare, 0)
    conflicts = conflicts_of(problem)
    answer = fit(conflicts, arena_nbytes, node_limit=10_000)
    assert answer.refuted == (not fits(problem, arena_nbytes))
    assert answer.refuted == (answer.offsets is None)
    if answer.offsets is not None:
        assert conflicts.arena_nbytes(answer.offsets) <= arena_nbytes
        placed = list(zip(problem.buffers, answer.offsets, strict=True))
        assert all(at >= 0 and at % b.alignment == 0 for b, at in placed)
        assert all(may_coexist(problem, a, a_at, b, b_at) for (a, a_at), (b, b_at) in combinations(placed, 2))


def test_the_limit_leaves_the_question_open() -> None:
    # Six buffers of 5 bytes do not fit into 29, but the first choice does not show it.
    buffers = tuple(Buffer(f"b{i}", 5, 1, 0, 0) for i in range(6))
    conflicts = conflicts_of(Problem(buffers, {}))
    answer = fit(conflicts, 29, node_limit=1)
    assert (answer.offsets, answer.refuted, answer.nodes) == (None, False, 1)
    assert fit(conflicts, 29, node_limit=10_000).refuted


def test_nothing_to_place_fits_anywhere() -> None:
    assert fit(conflicts_of(Problem((), {})), 0, 1).offsets == []
