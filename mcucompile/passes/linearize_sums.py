"""Compute TensorFlow Lite's three roundings of a sum in one, where no pair of stored operands tells the difference.

    %y = add<fixed=gemmlowp ..>(%a, %b)   -->   %y = add<fixed=(a*m + b*n + offset) >> shift>(%a, %b)

Two operands of 8 bits have 65,536 pairs, so equality is not argued but tried. With the multipliers given, every pair
bounds the offset from below and from above; where nothing is left, multipliers beside them are tried. A fifth of the
instructions are left of such a sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Graph, Node, integer_clip
from ..ops.fixed_point import WORD, reach
from ..ops.linear_sum import GemmlowpSum, LinearSum, ScaledSum, linear_sum
from .base import Pass

STEPS = 3  # how far from the nearest multipliers others are tried


@dataclass(frozen=True)
class LinearizeSums(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return sum([linearize(n, n.op) for n in graph.nodes if isinstance(n.op, ScaledSum)])


def linearize(node: Node, op: ScaledSum) -> bool:
    """Give the node the same function as a LinearSum; False where none is found."""
    if not isinstance(op.fixed, GemmlowpSum) or any(t.dtype.nbytes > 1 for t in [*node.inputs, *node.outputs]):
        return False
    nearest = linear_sum(node, op.sign)
    a, b = (np.arange(t.dtype.low, t.dtype.high + 1) for t in node.inputs)
    pairs = Pairs(a[:, None], b, integer_clip(op.clip, node), op.fixed)
    found = next((s for m in beside(nearest.multipliers) if (s := pairs.with_multipliers(nearest, m))), None)
    if found is None or not fits_word(node, found):
        return False
    node.op = replace(op, fixed=found)
    return True


def beside(multipliers: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The nearest first."""
    near = range(-STEPS, STEPS + 1)
    for i, j in sorted(((i, j) for i in near for j in near), key=lambda p: (abs(p[0]) + abs(p[1]), p)):
        yield multipliers[0] + i, multipliers[1] + j


class Pairs:
    """All pairs of stored operands, with their result within the limits."""

    def __init__(self, a: Array, b: Array, limits: tuple[int, int], wanted: GemmlowpSum) -> None:
        self.a, self.b, self.limits = a, b, limits
        self.results = np.clip(wanted.apply(a, b), *limits)

    def with_multipliers(self, like: LinearSum, multipliers: tuple[int, int]) -> LinearSum | None:
        """The sum with these multipliers and the shift of `like`, and the middle one of the offsets that will do."""
        low, high = self.limits
        sums = self.a * multipliers[0] + self.b * multipliers[1]
        least = ((self.results << like.shift) - sums)[self.results > low]
        most = (((self.results + 1) << like.shift) - 1 - sums)[self.results < high]
        if not least.size or not most.size or least.max() > most.min():
            return None
        return replace(like, multipliers=multipliers, offset=int(least.max() + most.min()) // 2)


def fits_word(node: Node, fixed: LinearSum) -> bool:
    """Whether every partial sum fits int32, in any order."""
    terms = zip(fixed.multipliers, node.inputs, strict=True)
    return fixed.bits == 32 and sum(abs(m) * reach(t) for m, t in terms) + abs(fixed.offset) <= WORD
