"""Requantization in three or four instructions: the high word of a product with a constant added on the way.

SMMLA adds the high word of acc * M to a third operand C, which holds the rounding constant and the zero point, both
shifted to the left; SSAT shifts the sum to the right and saturates it. With s > 32 and t = s - 32,

    HALF_UP   sat8(((acc * M + 2**(s-1)) >> s) + zero) == sat8((hi(acc * M) + C) >> t),  C = 2**(t-1) + zero * 2**t,

since the low word cannot change the floor. GEMMLOWP rounds twice. The first rounding is SMMLAR on twice the sum; the
second, of h to t = s - 31 bits with ties away from zero, is ((h + C - (h < 0)) >> t), where the sign may be that of the
sum: they differ only for h = 0, where one less does not matter. It is not needed at all where the zero point is -128:
then h < 0 saturates either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import NO_CLIP, Array, DType, Node, Requant, Rounding, integer_clip
from ..scaling import constant_channels, requant_of, settled_bias

WORD = 1 << 31
IDLE_SHIFT = 1  # of channels that are constant, where channels do not share the shift


@dataclass(frozen=True)
class HighWord:
    """`shift` and `offset` (t and C above) are None where channels do not share them and have them as constants.

    `doubled`: the multiplication takes twice the sum. `signed`: ties need the sum's sign. `low` and `high` are limits
    beyond those of saturation, or None.
    """

    shift: int | None
    offset: int | None
    doubled: bool
    signed: bool
    low: int | None
    high: int | None

    @property
    def instruction(self) -> str:
        return "smmlar" if self.doubled else "smmla"

    def extra_per_output(self, is_mirrored: bool) -> int:
        """Instructions beyond a multiplication, a saturating shift and a store."""
        limits = (self.low is not None) + (self.high is not None)
        return (self.doubled and is_mirrored) + self.signed + (self.shift is None) + 3 * limits

    @property
    def words(self) -> int:
        """Constants of a channel."""
        return 3 if self.shift is None else 1


def shifts_of(node: Node) -> tuple[Array, Array]:
    """(multiplier, t) of each output channel; channels whose result never changes get a multiplier of 0."""
    requant, channels = requant_of(node), node.output.shape[-1]
    multipliers = np.broadcast_to(np.asarray(requant.multipliers, np.int64), (channels,))
    shifts = np.broadcast_to(np.asarray(requant.shifts, np.int64), (channels,)) - implied(requant)
    if requant.shift is not None:
        return multipliers, shifts
    idle = is_idle(node, requant)
    return np.where(idle, 0, multipliers), np.where(idle, IDLE_SHIFT, shifts)


def implied(requant: Requant) -> int:
    return 31 if requant.rounding is Rounding.GEMMLOWP else 32


def bounds_of(node: Node) -> Array:
    """The largest magnitude of each output channel's sum; of constant channels, that of their settled bias."""
    bias = node.inputs[2].const
    assert bias is not None
    bounds = np.broadcast_to(np.asarray(node.op.sum_bounds(node), np.int64), (node.output.shape[-1],))
    constant = np.broadcast_to(constant_channels(node), bounds.shape)
    return np.asarray(np.where(constant, np.abs(settled_bias(node, bias.astype(np.int64))), bounds))


def is_idle(node: Node, requant: Requant) -> Array:
    """Per channel, whether every sum that may occur becomes 0."""
    bounds = bounds_of(node)
    return np.asarray((requant.apply(bounds) == 0) & (requant.apply(-bounds) == 0))


def fits_high_word(node: Node) -> bool:
    """Whether every shift is large enough, and every sum with its constant small enough for 32 bits."""
    multipliers, shifts = shifts_of(node)
    if shifts.min() < 1 or shifts.max() > 31 or node.output.dtype is not DType.I8:
        return False
    gemmlowp = requant_of(node).rounding is Rounding.GEMMLOWP
    bounds, offsets = bounds_of(node), offsets_of(node, shifts)
    if bounds.max() >= (WORD >> 1 if gemmlowp else WORD):
        return False
    reach = (bounds * multipliers >> implied(requant_of(node))) + 2 + np.abs(offsets)
    return bool(reach.max() < WORD)


def offsets_of(node: Node, shifts: Array) -> Array:
    zero = node.output.quant.zero if node.output.quant else 0
    return np.asarray((np.int64(1) << (shifts - 1)) + (np.int64(zero) << shifts))


def high_word(node: Node) -> HighWord:
    """How a node for which `fits_high_word` requantizes."""
    _, shifts = shifts_of(node)
    shared = bool((shifts == shifts[0]).all())
    gemmlowp = requant_of(node).rounding is Rounding.GEMMLOWP
    low, high = integer_clip(getattr(node.op, "clip", NO_CLIP), node)
    zero = node.output.quant.zero if node.output.quant else 0
    return HighWord(
        int(shifts[0]) if shared else None,
        int(offsets_of(node, shifts)[0]) if shared else None,
        gemmlowp,
        gemmlowp and zero > -128,
        low if low > -128 else None,
        high if high < 127 else None,
    )


def high_word_constants(node: Node, requant: HighWord | None = None) -> Array:
    """int32 [O, 1 or 3]: multiplier and, where there is none for all channels, offset and shift."""
    requant = requant or high_word(node)
    multipliers, shifts = shifts_of(node)
    columns = [multipliers] if requant.words == 1 else [multipliers, offsets_of(node, shifts), shifts]
    return np.stack(columns, axis=1).astype(np.int32)
