"""Offsets in one arena that is as small as possible.

Decided: greedy placements, then a local search over placement orders, then an exact search, each stopping as soon as
the lower bound is met; real networks mostly stop after the greedy ones. All limits count moves and nodes, because a
limit in seconds would make the generated code depend on the speed of the machine that compiled it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .conflicts import Conflicts, conflicts_of
from .exact_plan import fit
from .memory import Buffer, MemoryPlan, Problem, most_overlap

SEED = 1
# Pairs of buffers looked at, in all: a second or two of Python.
EFFORT = 1_500_000
MOVES_LIMIT = 4000

Order = tuple[int, ...]


def plan(problem: Problem, effort: int = EFFORT) -> MemoryPlan:
    """The smallest arena found; the same problem and effort give the same plan everywhere.

    `effort` limits the searching that is left when no greedy placement meets the lower bound; with 0 there is none.
    """
    conflicts = conflicts_of(problem)
    search = _Search(problem, conflicts, lower_bound(problem))
    for order in greedy_orders(problem):
        search.offer(place(conflicts, order), order)
    # A short try of both searches first, since either may be the right one.
    rounds = effort // (len(conflicts.pairs) + 10 * len(problem.buffers) + 1)
    for moves in (rounds // 10, rounds):
        search.local(min(moves, MOVES_LIMIT))
        search.exact(moves)
    return MemoryPlan(
        offsets=conflicts.named(problem, search.offsets),
        arena_nbytes=search.arena_nbytes,
        lower_bound=search.lower_bound,
        optimal=search.done,
    )


def lower_bound(problem: Problem) -> int:
    """Bytes below which no plan exists: the largest of the steps' own bounds."""
    return max((step_bound(problem, k) for k in problem.steps), default=0)


def peak_step(problem: Problem) -> int:
    """The first step with the largest bound: the one to look at when the arena is too large."""
    return max(problem.steps, key=lambda k: step_bound(problem, k))


def step_bound(problem: Problem, step: int) -> int:
    """Bytes that the buffers live in a step need at least: their sizes less the most that they can overlap.

    Counted in cells of the smallest alignment among them, since no two disjoint buffers share a cell; only the
    topmost one does not need its last cell in full. No arena is smaller than its largest buffer, though another one may
    be allowed to overlap it by more bytes than it has.
    """
    live = problem.live(step)
    if not live:
        return 0
    cell = min(b.alignment for b in live)
    cells = {b.name: -(-b.nbytes // cell) for b in live}
    gaps = {pair: -(-distance // cell) for pair, distance in problem.gaps.items() if set(pair) <= cells.keys()}
    dying = {b.name: cells[b.name] for b in live if b.first < b.last == step}
    born = {b.name: cells[b.name] for b in live if b.first == step}
    total = sum(cells.values()) - most_overlap(dying, born, gaps)
    apart = total * cell - max(cells[b.name] * cell - b.nbytes for b in live)
    return max(apart, *(b.nbytes for b in live))


def greedy_orders(problem: Problem) -> Iterator[Order]:
    """Orders in which placing one buffer after the other, each as low as it can go, often does well."""
    busy = {k: sum(b.nbytes for b in problem.live(k)) for k in problem.steps}
    keys: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.nbytes, -b.last),
        lambda b: (-b.last, -b.nbytes),
        lambda b: (b.first, -b.nbytes),
        lambda b: (-b.nbytes * (b.last - b.first + 1),),
        lambda b: (b.first - b.last, -b.nbytes),
        lambda b: (-max(busy[k] for k in range(b.first, b.last + 1)), -b.nbytes, -b.last),
        lambda b: (-max(busy[k] for k in range(b.first, b.last + 1)), -b.last, -b.nbytes),
    )
    numbers = range(len(problem.buffers))
    for key in keys:
        yield tuple(sorted(numbers, key=lambda i: key(problem.buffers[i])))


def place(conflicts: Conflicts, order: Sequence[int]) -> list[int]:
    """Offsets when each buffer in turn goes to the lowest place that those before it leave."""
    offsets = [-1] * len(order)
    for j in order:
        alignment = conflicts.alignments[j]
        at = 0
        for low, high in sorted(
            (offsets[n.other] - n.below, offsets[n.other] + n.above)
            for n in conflicts.neighbours[j]
            if offsets[n.other] >= 0
        ):
            if low >= at:
                break
            if high > at:
                at = -(-high // alignment) * alignment
        shared = (offsets[n.other] for n in conflicts.neighbours[j] if n.same and 0 <= offsets[n.other] < at)
        offsets[j] = next((s for s in sorted(shared) if _is_free(s, j, conflicts, offsets)), at)
    return offsets


def _is_free(at: int, j: int, conflicts: Conflicts, offsets: Sequence[int]) -> bool:
    """Whether buffer j may lie there beside all that have a place."""
    if at % conflicts.alignments[j]:
        return False
    placed = ((n, offsets[n.other]) for n in conflicts.neighbours[j] if offsets[n.other] >= 0)
    return all(not o - n.below < at < o + n.above or (n.same and at == o) for n, o in placed)


@dataclass
class _Search:
    """The best plan so far, and what is known about how small an arena can be."""

    problem: Problem
    conflicts: Conflicts
    lower_bound: int

    def __post_init__(self) -> None:
        self.random = random.Random(SEED)
        self.order: Order = ()
        self.offsets: list[int] = []
        self.arena_nbytes = 1 << 62

    @property
    def done(self) -> bool:
        return self.arena_nbytes <= self.lower_bound

    def offer(self, offsets: list[int], order: Order | None = None) -> None:
        arena_nbytes = self.conflicts.arena_nbytes(offsets)
        if arena_nbytes < self.arena_nbytes:
            self.arena_nbytes, self.offsets = arena_nbytes, offsets
            self.order = order or _by_offset(offsets)

    def local(self, moves: int) -> None:
        """Move one buffer in the placement order at a time; keep what is no worse."""
        if self.done:
            return
        order, offsets = self.order, place(self.conflicts, self.order)
        badness = self._badness(offsets)
        for _ in range(moves):
            changed = self._neighbour(order, offsets)
            trial = place(self.conflicts, changed)
            trial_badness = self._badness(trial)
            if trial_badness <= badness:
                order, offsets, badness = changed, trial, trial_badness
                self.offer(offsets, order)
                if self.done:
                    return

    def _badness(self, offsets: Sequence[int]) -> tuple[int, int]:
        """Arena, then how many bytes stick out over the lower bound: plateaus have a slope this way."""
        tops = [at + n for at, n in zip(offsets, self.conflicts.nbytes, strict=True)]
        return max(tops), sum(max(0, top - self.lower_bound) for top in tops)

    def _neighbour(self, order: Order, offsets: Sequence[int]) -> Order:
        """Place a buffer that sticks out, or one that is live with it, at another time."""
        tops = [at + n for at, n in zip(offsets, self.conflicts.nbytes, strict=True)]
        culprit = self._pick([i for i, top in enumerate(tops) if top > self.lower_bound])
        others = [n.other for n in self.conflicts.neighbours[culprit]]
        mover = self._pick([culprit, self._pick(others)])
        rest = [i for i in order if i != mover]
        at = self._pick(range(len(order)))
        return (*rest[:at], mover, *rest[at:])

    def _pick(self, choices: Sequence[int]) -> int:
        # Not random.choice: only random() is promised to give the same numbers in every Python version.
        return choices[int(self.random.random() * len(choices))]

    def exact(self, nodes: int) -> None:
        """Ask whether an arena of a given size is possible, at the lower bound first, then halfway to the best plan."""
        target = self.lower_bound
        while nodes > 0 and target < self.arena_nbytes:
            answer = fit(self.conflicts, target, (nodes + 1) // 2)
            nodes -= answer.nodes
            if answer.offsets is not None:
                self.offer(answer.offsets)
            elif answer.refuted:
                self.lower_bound = target + 1
            decided = answer.refuted or answer.offsets is not None
            lowest = self.lower_bound if decided else target + 1
            target = (lowest + self.arena_nbytes) // 2


def _by_offset(offsets: Sequence[int]) -> Order:
    return tuple(sorted(range(len(offsets)), key=lambda i: offsets[i]))
