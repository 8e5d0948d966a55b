"""A memory problem by number instead of name: which buffers are live together and how far apart they must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .memory import Only, Problem


class Pair(NamedTuple):
    """Buffers i and j are live together: offset(j) >= offset(i) + up, or offset(i) >= offset(j) + down.

    With `same`, the same offset will do as well.
    """

    i: int
    j: int
    up: int
    down: int
    same: bool = False


class Neighbour(NamedTuple):
    """Seen from a buffer: its offset must not lie strictly between offset(other) - below and offset(other) + above.

    With `same`, it may be offset(other).
    """

    other: int
    below: int
    above: int
    same: bool


@dataclass(frozen=True)
class Conflicts:
    """`nbytes` and `alignments` per buffer, in the order of the problem's buffers."""

    nbytes: tuple[int, ...]
    alignments: tuple[int, ...]
    pairs: tuple[Pair, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]

    def arena_nbytes(self, offsets: Sequence[int]) -> int:
        return max((at + n for at, n in zip(offsets, self.nbytes, strict=True)), default=0)

    def named(self, problem: Problem, offsets: Sequence[int]) -> Mapping[str, int]:
        return {b.name: at for b, at in zip(problem.buffers, offsets, strict=True)}


def conflicts_of(problem: Problem) -> Conflicts:
    """Without the pairs that may lie anywhere."""
    pairs = tuple(p for p in _pairs(problem) if p.up + p.down > 0)
    neighbours: list[list[Neighbour]] = [[] for _ in problem.buffers]
    for i, j, up, down, same in pairs:
        neighbours[j].append(Neighbour(i, down, up, same))
        neighbours[i].append(Neighbour(j, up, down, same))
    return Conflicts(
        nbytes=tuple(b.nbytes for b in problem.buffers),
        alignments=tuple(b.alignment for b in problem.buffers),
        pairs=pairs,
        neighbours=tuple(tuple(n) for n in neighbours),
    )


def _pairs(problem: Problem) -> list[Pair]:
    buffers = problem.buffers
    gaps = {pair: distance for pair, distance in problem.gaps.items() if not isinstance(distance, Only)}
    same = {pair for pair in problem.gaps if pair not in gaps}
    return [
        Pair(
            i,
            j,
            gaps.get((a.name, b.name), a.nbytes),
            gaps.get((b.name, a.name), b.nbytes),
            not same.isdisjoint([(a.name, b.name), (b.name, a.name)]),
        )
        for i, a in enumerate(buffers)
        for j, b in enumerate(buffers[:i])
        if a.first <= b.last and b.first <= a.last
    ]
