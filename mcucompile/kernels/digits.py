"""Requantization on cores without long multiplication: the multiplier in digits of D bits, lowest first.

With |acc| < 2**(31 - D) every product with a digit fits 32 bits, and nested floors are exact:

    v = ((acc*m0 >> D) + acc*m1 >> D) + acc*m2 = floor(acc * M / 2**(2*D)).

HALF_UP: multipliers are brought to the layer's largest shift first, which costs nothing but digits, so all channels
share one: stored = (v + offset) >> shift. GEMMLOWP has two shifts; the second stays with the channel. D and the shift
are rounded to few values, so that layers of the same shape share their code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Array, Node, Rounding, integer_clip
from .scaling import requant_of

BITS = (16, 13, 11, 8, 7, 6, 5, 4)
SHIFT_STEP = 4
MAX_COUNT = 8
LIMIT = 1 << 31


@dataclass(frozen=True)
class Digits:
    """`count` digits of `bits` bits. `shift` follows them, and `offset` is added before it: for HALF_UP the zero point
    and the rounding constant, for GEMMLOWP that of the first rounding. A channel has `channel_words` constants: its
    digits and for GEMMLOWP the second rounding's constant, with the zero point, and its shift.
    """

    bits: int
    count: int
    shift: int
    offset: int
    gemmlowp: bool
    low: int
    high: int

    @property
    def channel_words(self) -> int:
        return self.count + (2 if self.gemmlowp else 0)

    @property
    def saturates_int8(self) -> bool:
        return (self.low, self.high) == (-128, 127)


def digits(node: Node, reach: int) -> Digits | None:
    """For sums of magnitude up to `reach`, or None where digits cannot do it."""
    requant = requant_of(node)
    bits = next((b for b in BITS if b <= 31 - reach.bit_length()), 0)
    if not bits or min(requant.multipliers) < 0:
        return None
    zero = node.output.quant.zero if node.output.quant else 0
    low, high = integer_clip(getattr(node.op, "clip", NO_CLIP), node)
    if requant.rounding is Rounding.GEMMLOWP:
        count = -(-31 // bits)
        first = 31 - (count - 1) * bits
        seconds = [s - 31 for s in requant.shifts]
        small = all(reach + 2 + (abs(zero) + 1 << t) < LIMIT for t in seconds if t > 0)
        fits = min(seconds) > 0 and small and (reach + 1 << first) + (1 << first) < LIMIT
        return Digits(bits, count, first, 1 << (first - 1), True, low, high) if fits else None
    shift = max(requant.shifts)
    return half_up(max(aligned(node, shift)), shift, bits, reach, zero, (low, high))


def half_up(largest: int, shift: int, bits: int, reach: int, zero: int, limits: tuple[int, int]) -> Digits | None:
    """The fewest digits after which the word has room for zero point and rounding constant."""
    for count in range(max(1, -(-largest.bit_length() // bits)), MAX_COUNT + 1):
        least = shift - (count - 1) * bits
        if least < 1:
            return None
        for left in (-(-least // SHIFT_STEP) * SHIFT_STEP, least):
            offset, raised = (1 << (left - 1)) + (zero << left), largest << (left - least)
            word = (reach * raised >> (count - 1) * bits) + 1 + abs(offset)
            if left < 31 and word < LIMIT and raised.bit_length() <= count * bits:
                return Digits(bits, count, left, offset, False, *limits)
    return None


def aligned(node: Node, shift: int) -> list[int]:
    """The multipliers that go with this shift."""
    requant = requant_of(node)
    return [m << (shift - s) for m, s in zip(requant.multipliers, requant.shifts, strict=True)]


def digit_words(node: Node, d: Digits, channels: int) -> Array:
    """int32 [channels, channel_words]."""
    requant = requant_of(node)
    multipliers = list(requant.multipliers) if d.gemmlowp else aligned(node, d.shift + (d.count - 1) * d.bits)
    mask, top = (1 << d.bits) - 1, d.count - 1
    rows = [[m >> i * d.bits & (mask if i < top else LIMIT - 1) for i in range(d.count)] for m in multipliers]
    if d.gemmlowp:
        zero = node.output.quant.zero if node.output.quant else 0
        seconds = [s - 31 for s in requant.shifts]
        rows = [[*row, (1 << (t - 1)) + (zero << t), t] for row, t in zip(rows, seconds, strict=True)]
    return np.broadcast_to(np.asarray(rows, np.int64), (channels, d.channel_words)).astype(np.int32)
