"""The execution order with the lowest peak of live bytes.

Decided: a search over sets of executed steps, lowest peak first, so that the first complete set is an optimum. Two
things keep it small: a set is looked at once, however it was reached; and a step that frees at least what it adds,
without a new peak, is run at once, because no order gains by running it later. Instead of: enumerating orders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from heapq import heappop, heappush
from operator import or_

from .memory import MemoryStep, Schedule, most_overlap, step_gaps

SETS_LIMIT = 10_000
BEAM_WIDTH = 40


@dataclass(frozen=True)
class ExecutionOrder:
    """Indices into the given steps, and the peak of live bytes in that order. `optimal`: no order has a lower peak."""

    order: tuple[int, ...]
    peak_nbytes: int
    optimal: bool


@dataclass(frozen=True)
class _State:
    """`done` has bit k set if step k was run, `ready` if it can be run next. `live` and `peak` are bytes.

    `order` is how that came about.
    """

    done: int
    ready: int
    live: int
    peak: int
    order: tuple[int, ...]


def best_order(schedule: Schedule, sets_limit: int = SETS_LIMIT) -> ExecutionOrder:
    """The order with the lowest peak of live bytes, the given one if none is lower.

    Live bytes in a step: all buffers that are live, outputs and scratch included, less what inputs that die there can
    share with outputs that are born there. Steps that touch one buffer, at least one of them writing to it, keep their
    relative order. When `sets_limit` sets of steps were looked at in vain, the better of the given order and that of a
    beam search is taken.
    """
    liveness = _Liveness(schedule)
    given = tuple(range(len(schedule.steps)))
    given_peak = liveness.peak(given)
    if given_peak == liveness.lower_bound():
        return ExecutionOrder(given, given_peak, True)
    best, optimal = _search(liveness, given_peak, sets_limit)
    if best is None:
        best = None if optimal else _beam(liveness, given_peak)
    if best is None:
        return ExecutionOrder(given, given_peak, optimal)
    return ExecutionOrder(best.order, best.peak, optimal)


def peak_live_nbytes(schedule: Schedule) -> int:
    """The peak of live bytes when the schedule's steps run as they stand."""
    return _Liveness(schedule).peak(range(len(schedule.steps)))


def _search(liveness: _Liveness, below: int, sets_limit: int) -> tuple[_State | None, bool]:
    """The best complete state with a peak less than `below`, and whether it (or that there is none) is proved."""
    start = liveness.start()
    queue = [(start.peak, 0, 0, start)]
    lowest = {start.done: start.peak}
    pushed = 0
    while queue:
        state = heappop(queue)[-1]
        if state.done == liveness.complete:
            return state, True
        if lowest[state.done] < state.peak:
            continue
        for successor in liveness.successors(state, below):
            if successor.peak < lowest.get(successor.done, below):
                pushed += 1
                lowest[successor.done] = successor.peak
                heappush(queue, (successor.peak, -len(successor.order), pushed, successor))
        if pushed > sets_limit:
            return None, False
    return None, True


def _beam(liveness: _Liveness, below: int) -> _State | None:
    """A complete state with a peak less than `below`, if keeping only the best few states at a time leads to one."""
    states = [liveness.start()]
    while states and any(s.done != liveness.complete for s in states):
        best: dict[int, _State] = {}
        for state in states:
            for successor in liveness.successors(state, below) if state.done != liveness.complete else (state,):
                rival = best.get(successor.done)
                if rival is None or successor.peak < rival.peak:
                    best[successor.done] = successor
        states = sorted(best.values(), key=lambda s: (s.peak, s.live, -len(s.order), s.order))[:BEAM_WIDTH]
    return states[0] if states else None


class _Liveness:
    """Which buffers are live after a set of steps, and what running one more step costs."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.steps, self.nbytes = schedule, schedule.steps, schedule.nbytes
        self.complete = (1 << len(self.steps)) - 1
        self.users = dict.fromkeys((*schedule.inputs, *schedule.outputs), 0)
        for k, step in enumerate(self.steps):
            for name in step.operands:
                self.users[name] = self.users.get(name, 0) | 1 << k
        self.before = list(_predecessors(self.steps))
        self.after = [[j for j, before in enumerate(self.before) if before >> k & 1] for k in range(len(self.steps))]
        self.gaps = [step_gaps(s, self.nbytes, s.inputs, s.outputs) for s in self.steps]
        self.operands = [tuple(dict.fromkeys(s.operands)) for s in self.steps]
        self.scratch = [sum(self.nbytes[n] for n in s.scratch) for s in self.steps]
        self.sharers = [reduce(or_, (self.users[n] for n in names), 0) for names in self.operands]
        self.known: dict[tuple[int, int], tuple[int, int]] = {}

    def lower_bound(self) -> int:
        """Peak that no order avoids: that of each step alone, with as much sharing as any order can give it."""
        alone = (sum(self.nbytes[n] for n in self.operands[k]) + self.scratch[k] for k in range(len(self.steps)))
        needs = (n - self._sharing(k, self._dying(k, self.complete), self._born(k, 0)) for k, n in enumerate(alone))
        ends = (sum(self.nbytes[n] for n in set(names)) for names in (self.schedule.inputs, self.schedule.outputs))
        return max((*needs, *ends))

    def start(self) -> _State:
        kept = {n for n in self.schedule.inputs if self.users[n] or n in self.schedule.outputs}
        ready = sum(1 << k for k, before in enumerate(self.before) if not before)
        return _State(0, ready, sum(self.nbytes[n] for n in kept), self.lower_bound(), ())

    def peak(self, order: Iterable[int]) -> int:
        state = self.start()
        for k in order:
            state = self.run(state, k)
        return state.peak

    def successors(self, state: _State, below: int) -> Iterator[_State]:
        """The states after one more step with a peak less than `below`, and after all that is free to run then."""
        for k in _members(state.ready):
            successor = self.run(state, k)
            if successor.peak < below:
                yield self._run_free_steps(successor)

    def _run_free_steps(self, state: _State) -> _State:
        while (free := next((k for k in _members(state.ready) if self._is_free(state, k)), None)) is not None:
            state = self.run(state, free)
        return state

    def _is_free(self, state: _State, k: int) -> bool:
        during, change = self._growth(state.done, k)
        return change <= 0 and state.live + during <= state.peak

    def run(self, state: _State, k: int) -> _State:
        during, change = self._growth(state.done, k)
        done, peak = state.done | 1 << k, max(state.peak, state.live + during)
        freed = sum(1 << j for j in self.after[k] if not self.before[j] & ~done)
        return _State(done, state.ready & ~(1 << k) | freed, state.live + change, peak, (*state.order, k))

    def _growth(self, done: int, k: int) -> tuple[int, int]:
        """By how many bytes more are live during step k, and after it; of `done` only users of its operands count."""
        key = k, done & self.sharers[k]
        if key not in self.known:
            born, dying = self._born(k, done), self._dying(k, done | 1 << k)
            added = sum(self.nbytes[n] for n in born)
            during = added + self.scratch[k] - self._sharing(k, dying, born)
            self.known[key] = during, added - sum(self.nbytes[n] for n in dying)
        return self.known[key]

    def _born(self, k: int, done: int) -> list[str]:
        return [n for n in self.operands[k] if not self.users[n] & done and n not in self.schedule.inputs]

    def _dying(self, k: int, done: int) -> list[str]:
        return [n for n in self.operands[k] if not self.users[n] & ~done and n not in self.schedule.outputs]

    def _sharing(self, k: int, dying: list[str], born: list[str]) -> int:
        if not self.gaps[k]:
            return 0
        inputs, nbytes = self.steps[k].inputs, self.nbytes
        dying_nbytes = {n: nbytes[n] for n in dying if n in inputs}
        return most_overlap(dying_nbytes, {n: nbytes[n] for n in born}, self.gaps[k])


def _predecessors(steps: Sequence[MemoryStep]) -> Iterator[int]:
    """For each step the earlier ones, as bits, that write what it touches or read what it writes."""
    writers, readers = defaultdict[str, int](int), defaultdict[str, int](int)
    for k, step in enumerate(steps):
        yield reduce(or_, (*(writers[n] for n in step.operands), *(readers[n] for n in step.outputs)), 0)
        for names, users in ((step.outputs, writers), (step.inputs, readers)):
            for n in names:
                users[n] |= 1 << k


def _members(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, from the lowest on."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
