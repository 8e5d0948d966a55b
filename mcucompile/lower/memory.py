"""The planner's types, and what a schedule of steps demands of memory: lifetimes, and which buffers may overlap how.

Decided: an input that dies in a step and an output that is born there may share bytes where one distance makes every
larger distance safe too, because then a planner needs one number per pair, and kernels that walk through memory in
one direction (nearly all do) lose nothing by it. A kernel that takes one channel after the other through interleaved
memory is safe at no distance but 0, which is the one exception. Instead of: a set of safe distances per pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from mcucompile.kernels.trace import Range, Sweep, Trace

__all__ = [
    "Buffer",
    "Gaps",
    "MemoryPlan",
    "MemoryStep",
    "Only",
    "Problem",
    "Range",
    "Schedule",
    "Sweep",
    "Trace",
    "min_distance",
    "min_distance_above",
    "most_overlap",
    "planning_problem",
]

ALIGNMENTS = (1, 2, 4, 8, 16, 32)

Ints = NDArray[np.int64]


class Only(int):
    """A distance that is safe by itself: those beyond it are not."""


# (lower, upper) -> the smallest safe value of offset(upper) - offset(lower). Not overlapping at all is safe as well.
Gaps = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Buffer:
    """`nbytes` of arena from step `first` to step `last` inclusive.

    A graph input is live from step -1, before the first step; a graph output to step n, after the last of n steps.
    """

    name: str
    nbytes: int
    alignment: int
    first: int
    last: int

    def __post_init__(self) -> None:
        assert self.nbytes > 0, self
        assert self.alignment in ALIGNMENTS, self
        assert self.first <= self.last, self


@dataclass(frozen=True)
class Problem:
    """Buffers to place. Two that are live at once do not overlap, unless `gaps` says at which distance they may."""

    buffers: tuple[Buffer, ...]
    gaps: Gaps

    def __post_init__(self) -> None:
        by_name = {b.name: b for b in self.buffers}
        assert len(by_name) == len(self.buffers), "two buffers have one name"
        for a, b in self.gaps:
            dies, is_born = sorted((by_name[a], by_name[b]), key=lambda buffer: buffer.first)
            assert dies.first < dies.last == is_born.first, f"{a} and {b} do not meet in exactly one step"

    @property
    def steps(self) -> range:
        """From the first step at which anything is live to the last."""
        if not self.buffers:
            return range(0)
        return range(min(b.first for b in self.buffers), max(b.last for b in self.buffers) + 1)

    def live(self, step: int) -> tuple[Buffer, ...]:
        return tuple(b for b in self.buffers if b.first <= step <= b.last)


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in bytes from the start of the arena, whose size is `arena_nbytes`.

    No plan for this problem is smaller than `lower_bound`. `optimal`: none is smaller than this one.
    """

    offsets: Mapping[str, int]
    arena_nbytes: int
    lower_bound: int
    optimal: bool


@dataclass(frozen=True)
class MemoryStep:
    """What one step does to memory. The trace's operands are `inputs`, then `outputs`; scratch is never overlapped."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scratch: tuple[str, ...] = ()
    trace: Trace = None

    @property
    def operands(self) -> tuple[str, ...]:
        return self.inputs + self.outputs

    @property
    def touched(self) -> tuple[str, ...]:
        """Every buffer once."""
        return tuple(dict.fromkeys(self.operands + self.scratch))


@dataclass(frozen=True)
class Schedule:
    """Steps in execution order, and sizes and alignments in bytes of all buffers that they touch.

    `inputs` are filled before the first step, `outputs` are read after the last. Several steps may write parts of one
    buffer (the slices of a concatenation, patches); it is live from the first of them.
    """

    steps: tuple[MemoryStep, ...]
    nbytes: Mapping[str, int]
    alignment: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def reordered(self, order: Iterable[int]) -> Schedule:
        return replace(self, steps=tuple(self.steps[k] for k in order))


def planning_problem(schedule: Schedule) -> Problem:
    """Buffers with their lifetimes, in order of birth, and the distances that the steps' traces allow."""
    lives = lifetimes(schedule)
    buffers = (Buffer(n, schedule.nbytes[n], schedule.alignment[n], *lives[n]) for n in lives)
    gaps: dict[tuple[str, str], int] = {}
    for k, step in enumerate(schedule.steps):
        dying = {n for n in step.inputs if lives[n][1] == k}
        born = {n for n in step.outputs if lives[n][0] == k}
        gaps |= step_gaps(step, schedule.nbytes, dying, born)
    return Problem(tuple(buffers), gaps)


def lifetimes(schedule: Schedule) -> dict[str, tuple[int, int]]:
    """Buffer -> (first, last) step."""
    lives = dict.fromkeys(schedule.inputs, (-1, -1))
    for k, step in enumerate(schedule.steps):
        for name in step.inputs:
            assert name in lives, f"step {step.name} reads {name} before any step wrote it"
        for name in step.touched:
            lives[name] = (lives.get(name, (k, k))[0], k)
    for name in schedule.outputs:
        lives[name] = (lives[name][0], len(schedule.steps))
    return lives


def step_gaps(
    step: MemoryStep, nbytes: Mapping[str, int], dying: Collection[str], born: Collection[str]
) -> dict[tuple[str, str], int]:
    """The distances at which inputs that die in this step may overlap outputs that are born there."""
    gaps: dict[tuple[str, str], int] = {}
    if step.trace is None:
        return gaps
    for a in dict.fromkeys(n for n in step.inputs if n in dying):
        for b in dict.fromkeys(n for n in step.outputs if n in born):
            # The same buffer may stand for several operands (x + x): the strictest of them decides.
            pairs = [(i, j) for i in _indices(step, a) for j in _indices(step, b)]
            input_above = max(min_distance(step.trace, i, j, nbytes[a]) for i, j in pairs)
            output_above = max(min_distance_above(step.trace, i, j, nbytes[b]) for i, j in pairs)
            if input_above < nbytes[b]:
                gaps[b, a] = input_above
            if output_above < nbytes[a]:
                gaps[a, b] = output_above
            free = [key for key in ((b, a), (a, b)) if key not in gaps]
            if min(input_above, output_above) > 0 and free and all(may_coincide(step.trace, *p) for p in pairs):
                gaps[free[0]] = Only(0)
    return gaps


def _indices(step: MemoryStep, name: str) -> list[int]:
    return [i for i, n in enumerate(step.operands) if n == name]


def min_distance(trace: tuple[Sweep, ...], input_index: int, output_index: int, input_nbytes: int) -> int:
    """The smallest D for which every distance offset(input) - offset(output) >= D is safe, in bytes.

    A write of output bytes [w0, w1) before a read of input bytes [r0, r1) is harmless from distance w1 - r0 on, so D is
    the largest w1 - r0 over all pairs of a write and a later read; a read in the same iteration is not later. Never
    below -input_nbytes, where the input ends before the output begins.
    """
    reads, writes = _touches(trace, input_index, reading=True), _touches(trace, output_index, reading=False)
    return max(_largest_excess((writes[0], writes[2]), (reads[0], reads[1])), -input_nbytes)


def min_distance_above(trace: tuple[Sweep, ...], input_index: int, output_index: int, output_nbytes: int) -> int:
    """The smallest E for which every distance offset(output) - offset(input) >= E is safe, in bytes.

    The mirror image of `min_distance`, for kernels that walk downward: the largest r1 - w0. Never below -output_nbytes.
    """
    reads, writes = _touches(trace, input_index, reading=True), _touches(trace, output_index, reading=False)
    return max(_largest_excess((writes[0], -writes[1]), (reads[0], -reads[2])), -output_nbytes)


def may_coincide(trace: tuple[Sweep, ...], input_index: int, output_index: int) -> bool:
    """Whether both operands may begin at the same byte: no byte is written before it is read for the last time.

    Decided only for kernels that read each byte about once; others walk in one direction, or need the input to the end.
    """
    reads, writes = _touches(trace, input_index, reading=True), _touches(trace, output_index, reading=False)
    if not reads[0].size or not writes[0].size:
        return False
    end = int(max(reads[2].max(), writes[2].max()))
    if int((reads[2] - reads[1]).sum()) > 2 * end:
        return False
    last_read, first_write = np.full(end, -1, np.int64), np.full(end, np.int64(1) << 60, np.int64)
    np.maximum.at(last_read, *_every_byte(reads))
    np.minimum.at(first_write, *_every_byte(writes))
    return bool((first_write >= last_read).all())


def _every_byte(touches: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
    """(byte, time) of every byte of every touch."""
    times, starts, stops = touches
    lengths = stops - starts
    behind = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + behind, np.repeat(times, lengths)


def _touches(trace: tuple[Sweep, ...], operand: int, reading: bool) -> tuple[Ints, Ints, Ints]:
    """(time, start, stop) of every read, or every write, of an operand. Time counts iterations over all sweeps."""
    ends = accumulate((s.count for s in trace), initial=0)
    walks = [
        (begin, sweep.count, r.offset, r.stride, r.nbytes)
        for begin, sweep in zip(ends, trace, strict=False)
        for r in _of_operand(sweep.reads if reading else sweep.writes, operand)
    ]
    begin, count, offset, stride, nbytes = np.array(walks, dtype=np.int64).reshape(-1, 5).T
    walk = np.repeat(np.arange(len(walks)), count)
    iteration = np.arange(walk.size) - (np.cumsum(count) - count)[walk]
    start = offset[walk] + stride[walk] * iteration
    return begin[walk] + iteration, start, start + nbytes[walk]


def _of_operand(ranges: Sequence[Range], operand: int) -> Iterator[Range]:
    return (r for r in ranges if r.operand == operand)


def _largest_excess(early: tuple[Ints, Ints], late: tuple[Ints, Ints]) -> int:
    """Largest value(early) - value(late) over all pairs with time(early) < time(late); very small if there is none.

    Both arguments are (times, values).
    """
    never = np.int64(1) << 60
    if not early[0].size or not late[0].size:
        return -int(never)
    end = int(max(early[0].max(), late[0].max())) + 2
    smallest_from = np.full(end, never, dtype=np.int64)
    np.minimum.at(smallest_from, late[0], late[1])
    smallest_from = np.minimum.accumulate(smallest_from[::-1])[::-1]
    return int((early[1] - smallest_from[early[0] + 1]).max())


def most_overlap(dying: Mapping[str, int], born: Mapping[str, int], gaps: Gaps) -> int:
    """An upper bound on the bytes that a step's dying inputs and new outputs can share; arguments in any one unit.

    Inputs are disjoint among themselves and so are outputs, hence no buffer shares more than its own size in total.
    The bound is exact for one pair.
    """
    shared = {(a, b): _pair_overlap(a, dying[a], b, born[b], gaps) for a in dying for b in born}
    by_dying = sum(min(n, sum(shared[a, b] for b in born)) for a, n in dying.items())
    by_born = sum(min(n, sum(shared[a, b] for a in dying)) for b, n in born.items())
    return min(by_dying, by_born)


def _pair_overlap(a: str, a_size: int, b: str, b_size: int, gaps: Gaps) -> int:
    """The most that two buffers share, whichever of them is the lower one."""
    a_above = min(a_size, b_size - max(gaps.get((b, a), b_size), 0))
    b_above = min(b_size, a_size - max(gaps.get((a, b), a_size), 0))
    return max(a_above, b_above)
