"""Give the channels of a layer one shift where no sum that can occur is rounded otherwise by it.

    %y = conv2d<requant=(M0, M1)>>(36, 38)>(..)   -->   %y = conv2d<requant=(M0, M1/4)>>(36)>(..)

A requantization is a staircase: its result rises by one at certain sums. Another multiplier and shift are the same
function when they rise at the same sums, as far as sums can go and results are within the output's limits. Each stair
bounds the multiplier from below and from above, and what the bounds leave is rarely empty.

A layer has a shift per channel when one channel's factor is so small that a common shift would leave it few bits; that
often hardly matters, its results being small too. With one shift a kernel needs an instruction and two words less per
channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..ir import DType, Graph, Node, Requant, Rounding, integer_clip
from ..ops.weighted import Weighted
from .base import Pass
from .channels.kept import is_layer
from .channels.ranges import ranges_of, sums_of

WORD = (1 << 31) - 1


@dataclass(frozen=True)
class AlignShifts(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        layers = [n for n in graph.nodes if is_layer(n) and has_own_shifts(n)]
        ranges = ranges_of(graph) if layers else {}
        return sum([align(n, sums_of(n, ranges[n.inputs[0]])) for n in layers])


def has_own_shifts(node: Node) -> bool:
    """Whether an 8-bit layer's channels differ in their shifts; two roundings would have a staircase of their own."""
    assert isinstance(node.op, Weighted) and node.op.requant
    is_wide = DType.I16 in (node.inputs[0].dtype, node.output.dtype)
    return node.op.requant.shift is None and node.op.requant.rounding is Rounding.HALF_UP and not is_wide


@dataclass(frozen=True)
class Stairs:
    """The requantization of one channel: result = (sum * multiplier + 2**(shift-1)) >> shift, for sums low..high.

    `floor` and `ceiling` are limits of the result, before the output's zero point is added.
    """

    multiplier: int
    shift: int
    low: int
    high: int
    floor: int
    ceiling: int

    def at(self, total: int) -> int:
        scaled = (total * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return min(max(scaled, self.floor), self.ceiling)

    def first(self, result: int) -> int:
        """The smallest sum that gives the result, or more."""
        return -((-edge(result, self.shift)) // self.multiplier)

    def conditions(self) -> Iterator[tuple[int, int, bool]]:
        """(sum, result, reaches): whether the sum gives at least the result. They define the staircase."""
        bottom, top = self.at(self.low), self.at(self.high)
        if bottom > self.floor:
            yield self.low, bottom, True
        for result in range(bottom + 1, top + 1):
            yield self.first(result), result, True
            yield self.first(result) - 1, result, False
        if top < self.ceiling:
            yield self.high, top + 1, False

    def with_shift(self, shift: int) -> int | None:
        """The multiplier nearest to this one's that gives the same results with another shift."""
        least, most = 0, WORD
        for total, result, reaches in self.conditions():
            low, high = multipliers(total, edge(result, shift), reaches)
            least, most = max(least, low), min(most, high)
        wanted = (self.multiplier + (1 << (self.shift - shift) >> 1)) >> (self.shift - shift)
        return min(max(wanted, least), most) if least <= most else None


def edge(result: int, shift: int) -> int:
    """The smallest product that is rounded to the result."""
    return (result << shift) - (1 << (shift - 1))


def multipliers(total: int, product: int, reaches: bool) -> tuple[int, int]:
    """The least and the largest m, of 0..WORD, with total * m >= product or, without `reaches`, total * m < product."""
    if not reaches:  # total * m <= product - 1
        total, product = -total, 1 - product
    if total == 0:
        return (0, WORD) if product <= 0 else (1, 0)
    return (-(-product // total), WORD) if total > 0 else (0, -product // -total)


def align(node: Node, sums: list[tuple[int, int]]) -> bool:
    """One shift for the node, the smallest of its channels'; False where a channel has no multiplier for that."""
    op, zero = node.op, node.output.quant.zero if node.output.quant else 0
    assert isinstance(op, Weighted) and op.requant
    floor, ceiling = (v - zero for v in integer_clip(op.clip, node))
    pairs = zip(op.requant.multipliers, op.requant.shifts, strict=True)
    stairs = [Stairs(m, s, low, high, floor, ceiling) for (m, s), (low, high) in zip(pairs, sums, strict=True)]
    shift = min(op.requant.shifts)
    found = [s.with_shift(shift) if s.multiplier else 0 for s in stairs]
    aligned = tuple(m for m in found if m is not None)
    if len(aligned) < len(found):
        return False
    node.op = replace(op, requant=Requant(aligned, (shift,) * len(aligned)))  # type: ignore[type-var]
    return True
