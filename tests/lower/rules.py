"""The rules of a memory problem, word by word, and the dullest way to solve one."""

from mcucompile.lower.memory import Buffer, Only, Problem


def may_coexist(problem: Problem, a: Buffer, a_at: int, b: Buffer, b_at: int) -> bool:
    apart_in_time = a.last < b.first or b.last < a.first
    apart_in_memory = a_at + a.nbytes <= b_at or b_at + b.nbytes <= a_at
    above = _may_lie_above(problem, b, a, a_at - b_at) or _may_lie_above(problem, a, b, b_at - a_at)
    return apart_in_time or apart_in_memory or above


def _may_lie_above(problem: Problem, lower: Buffer, upper: Buffer, distance: int) -> bool:
    gap = problem.gaps.get((lower.name, upper.name))
    return gap is not None and (distance == gap if isinstance(gap, Only) else distance >= gap)


def fits(problem: Problem, arena_nbytes: int) -> bool:
    """Try all offsets."""
    placed: list[tuple[Buffer, int]] = []

    def extend(i: int) -> bool:
        if i == len(problem.buffers):
            return True
        b = problem.buffers[i]
        for at in range(0, arena_nbytes - b.nbytes + 1, b.alignment):
            if all(may_coexist(problem, b, at, other, other_at) for other, other_at in placed):
                placed.append((b, at))
                if extend(i + 1):
                    return True
                placed.pop()
        return False

    return extend(0)
