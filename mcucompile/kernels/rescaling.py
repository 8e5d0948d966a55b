"""Requantization in three to five instructions of the DSP extension: what kernels for it print of `Scaling`.

HALF_UP on high words, zero point included, is SMMLA(sum, multiplier, added) >> shift, within the limits, with
added = 2**(shift - 1) + (zero << shift). GEMMLOWP's first rounding is SMMLAR's, if the sum is doubled (weights and bias
are doubled at compile time); its second one, ties away from zero, is the same with -1 added for negative products. The
sum's sign may stand for the product's: where they differ, the product is 0, and so is the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Node
from .scaling import requant_of, scaling

SHIFT_LIMIT = 22  # the high word reaches 2**30, zero << 22 no more than 2**29


@dataclass(frozen=True)
class Rescaling:
    """The macros of templates/lib/rescaling.j2 print it. `shift` and `added` are None where channels differ in them."""

    gemmlowp: bool
    shift: int | None
    added: int | None
    low: int
    high: int

    @property
    def factor(self) -> int:
        """What weights and bias are multiplied by."""
        return 2 if self.gemmlowp else 1

    @property
    def saturates_int8(self) -> bool:
        return (self.low, self.high) == (-128, 127)

    @property
    def words(self) -> int:
        """Of a channel, with its bias."""
        return 2 if self.shift is not None else 4

    @property
    def instructions(self) -> int:
        """Per output, storing it included."""
        return 3 + self.gemmlowp + (self.shift is None) + (0 if self.saturates_int8 else 4)


def can_rescale(node: Node) -> bool:
    """Whether high words suffice for every channel, and no shift is so large that nothing can be added before it."""
    s = scaling(node)
    return s.high_word and all(shift <= SHIFT_LIMIT for shift in _shifts(node))


def rescaling(node: Node) -> Rescaling:
    s = scaling(node)
    assert can_rescale(node)
    added = None if s.shift is None else _added(s.shift, s.zero)
    return Rescaling(s.gemmlowp, s.shift, added, s.low, s.high)


def rescaling_constants(node: Node, bias: Array) -> Array:
    """int32 [channels, words]: bias, multiplier and, where channels do not share them, shift and what is added."""
    r, s = rescaling(node), scaling(node)
    columns = [bias.astype(np.int64) * r.factor, np.broadcast_to(requant_of(node).multipliers, bias.shape)]
    if r.shift is None:
        shifts = _shifts(node)
        columns += [np.asarray(shifts), np.asarray([_added(shift, s.zero) for shift in shifts])]
    return np.stack(columns, axis=1).astype(np.int32)


def _shifts(node: Node) -> list[int]:
    """Of the high words."""
    implied = 31 if scaling(node).gemmlowp else 32
    return [shift - implied for shift in requant_of(node).shifts]


def _added(shift: int, zero: int) -> int:
    return (1 << (shift - 1)) + zero * (1 << shift)
