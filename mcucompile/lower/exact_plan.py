"""Is there a plan within a given arena? Answered exactly, if the node limit allows.

Every buffer has a window of offsets. For every pair of buffers that are live together one must be the lower one;
choosing which moves the windows, windows exclude choices, and when no choice is left the answer is no. This is the
disjunctive formulation of job-shop scheduling with offsets for times: unlike a search over placement orders it is
complete also for overlap distances below zero. Two that may lie at the same place have that as a third way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .conflicts import Conflicts, Pair


@dataclass(frozen=True)
class Answer:
    """`offsets` of a plan that fits, or `refuted`: there is none, or neither: the limit
    was hit. `nodes` were visited.
    """

    offsets: list[int] | None
    refuted: bool
    nodes: int


class _Arc(NamedTuple):
    """offset(above) >= offset(below) + distance."""

    below: int
    above: int
    distance: int


@dataclass
class _Node:
    """Lowest and highest offset per buffer, the arcs decided and the pairs still open."""

    low: list[int]
    high: list[int]
    arcs: list[_Arc]
    open: list[Pair]

    def child(self, pair: Pair, way: list[_Arc]) -> _Node:
        return _Node(self.low[:], self.high[:], [*self.arcs, *way], [p for p in self.open if p is not pair])

    def allows(self, way: list[_Arc]) -> bool:
        return all(self.low[a.below] + a.distance <= self.high[a.above] for a in way)


def fit(conflicts: Conflicts, arena_nbytes: int, node_limit: int) -> Answer:
    """Offsets within `arena_nbytes`, found by depth-first search; alignment is respected."""
    high = [
        (arena_nbytes - n) // a * a if n <= arena_nbytes else -1
        for n, a in zip(conflicts.nbytes, conflicts.alignments, strict=True)
    ]
    if min(high, default=0) < 0:
        return Answer(None, True, 1)
    stack = [_Node([0] * len(high), high, [], list(conflicts.pairs))]
    nodes = 0
    while stack:
        if nodes == node_limit:
            return Answer(None, False, nodes)
        nodes += 1
        node = stack.pop()
        if not _propagate(node, conflicts.alignments):
            continue
        pair = _pair_to_decide(node)
        if pair is None:
            return Answer(node.low, False, nodes)
        stack += _branches(node, pair)
    return Answer(None, True, nodes)


def _branches(node: _Node, pair: Pair) -> list[_Node]:
    """The ways to decide the pair, the one that leaves the most room last, so that it is tried first."""
    i_below, j_below, *same = _ways(pair)
    by_room = [j_below, i_below] if _room_up(node, pair) >= _room_down(node, pair) else [i_below, j_below]
    return [node.child(pair, way) for way in (*by_room, *same)]


def _ways(pair: Pair) -> list[list[_Arc]]:
    """i below j, j below i and, where that is safe, both at the same place."""
    i, j, up, down, same = pair
    return [[_Arc(i, j, up)], [_Arc(j, i, down)], *([[_Arc(i, j, 0), _Arc(j, i, 0)]] if same else [])]


def _room_up(node: _Node, pair: Pair) -> int:
    return node.high[pair.j] - node.low[pair.i] - pair.up


def _room_down(node: _Node, pair: Pair) -> int:
    return node.high[pair.i] - node.low[pair.j] - pair.down


def _pair_to_decide(node: _Node) -> Pair | None:
    """The tightest pair that collides when every buffer lies as low as it can; None when that is a plan already."""
    low = node.low
    colliding = [p for p in node.open if not _is_settled(p, low[p.j] - low[p.i])]
    return min(colliding, key=lambda p: (_room_up(node, p) + 1) * (_room_down(node, p) + 1), default=None)


def _is_settled(p: Pair, distance: int) -> bool:
    return distance >= p.up or -distance >= p.down or (p.same and distance == 0)


def _propagate(node: _Node, alignments: tuple[int, ...]) -> bool:
    """Narrow the windows until nothing changes; False if one is empty or a pair has no way left."""
    while True:
        if not _narrow(node, alignments):
            return False
        forced = _forced(node)
        if forced is None:
            return False
        if not forced:
            return True
        node.arcs += forced


def _narrow(node: _Node, alignments: tuple[int, ...]) -> bool:
    """Apply all arcs to the windows, to a fixed point."""
    low, high = node.low, node.high
    changed = True
    while changed:
        changed = False
        for below, above, distance in node.arcs:
            if low[below] + distance > low[above]:
                low[above] = -(-(low[below] + distance) // alignments[above]) * alignments[above]
                changed = True
                if low[above] > high[above]:
                    return False
            if high[above] - distance < high[below]:
                high[below] = (high[above] - distance) // alignments[below] * alignments[below]
                changed = True
                if low[below] > high[below]:
                    return False
    return True


def _forced(node: _Node) -> list[_Arc] | None:
    """Arcs of the pairs with one way left; pairs that windows alone keep apart are dropped. None: no way left."""
    low, high = node.low, node.high
    forced: list[_Arc] = []
    still_open = []
    for pair in node.open:
        ways = [way for way in _ways(pair) if node.allows(way)]
        if not ways:
            return None
        if len(ways) == 1:
            forced += ways[0]
        elif high[pair.i] + pair.up > low[pair.j] and high[pair.j] + pair.down > low[pair.i]:
            still_open.append(pair)
    node.open = still_open
    return forced
