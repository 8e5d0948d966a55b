"""How a kernel turns an integer sum into a stored output: the part of its parameters that every such kernel shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Array, Node, Requant, Rounding, integer_clip
from .kernel import Packed


@dataclass(frozen=True)
class Scaling:
    """stored = clamp(requantize(acc) + zero, low, high).

    `multiplier` and `shift` are literals where all channels share them; None means an array per channel, which the C
    function takes as `const int32_t *multiplier` and `const uint8_t *shift`. The macro `scaled` of
    templates/lib/fixed.j2 prints the expression; `scaling_parameters` prints those two parameters.
    `high_word`: every shift is so large that the product's low word only matters for one rounding bit, and C works on
    the high word; `shift` and the array of shifts are then less by `implied_shift`.
    """

    rounding: Rounding
    multiplier: int | None
    shift: int | None
    zero: int
    low: int
    high: int
    dtype: str
    wide: bool
    high_word: bool = False

    @property
    def gemmlowp(self) -> bool:
        return self.rounding is Rounding.GEMMLOWP

    @property
    def saturates_int8(self) -> bool:
        return (self.low, self.high) == (-128, 127)

    @property
    def implied_shift(self) -> int:
        if not self.high_word:
            return 0
        return 31 if self.gemmlowp else 32

    @property
    def offset(self) -> int | None:
        """Rounding constant and zero point in one, where the high word of a product has room for both."""
        if not self.high_word or self.gemmlowp or self.shift is None or self.shift > 22:
            return None
        return (1 << (self.shift - 1)) + (self.zero << self.shift)


def requant_of(node: Node) -> Requant:
    requant = getattr(node.op, "requant", None)
    assert isinstance(requant, Requant), f"{node.where} has no fixed-point constants yet"
    return requant


def scaling(node: Node, wide: bool = False) -> Scaling:
    """The scaling of a node whose operator has a `requant`; `wide` sums are int64."""
    requant, output = requant_of(node), node.output
    low, high = integer_clip(getattr(node.op, "clip", NO_CLIP), node)
    multipliers = set(requant.multipliers)
    high_word = not wide and uses_high_word(node)
    implied = 0 if not high_word else 31 if requant.rounding is Rounding.GEMMLOWP else 32
    return Scaling(
        requant.rounding,
        multipliers.pop() if len(multipliers) == 1 and requant.shift is not None else None,
        None if requant.shift is None else requant.shift - implied,
        output.quant.zero if output.quant else 0,
        low,
        high,
        output.dtype.c,
        wide,
        high_word,
    )


def uses_high_word(node: Node) -> bool:
    """HALF_UP: (h * 2**32 + l + 2**(s-1)) >> s == (h + 2**(s-33)) >> (s-32) for s > 32, since l < 2**32.

    GEMMLOWP's second rounding then is a true shift to the right, and sums below 2**30 leave room for its rounding bit.
    """
    requant = requant_of(node)
    if requant.rounding is Rounding.HALF_UP:
        return all(s >= 33 for s in requant.shifts)
    bound = node.op.sum_bound(node)
    return bound is not None and bound < 1 << 30 and all(32 <= s <= 60 for s in requant.shifts)


def scaling_constants(node: Node, channels: int, wide: bool = False) -> tuple[Packed, ...]:
    """The arrays that go with `scaling(node, wide)`, one entry per output channel."""
    requant, shape = requant_of(node), scaling(node, wide)
    arrays = []
    if shape.multiplier is None:
        arrays.append(Packed("multiplier", np.broadcast_to(np.asarray(requant.multipliers, np.int32), (channels,))))
    if shape.shift is None:
        shifts = np.asarray(requant.shifts, np.int64) - shape.implied_shift
        arrays.append(Packed("shift", np.broadcast_to(shifts.astype(np.uint8), (channels,))))
    return tuple(arrays)


def channel_constants(node: Node, bias: Array) -> Array:
    """int32 [channels, 2 or 3]: bias, multiplier and, where channels do not share it, shift: one stream to read."""
    requant, shape = requant_of(node), scaling(node)
    columns = [np.asarray(bias, np.int64), np.broadcast_to(requant.multipliers, bias.shape)]
    if shape.shift is None:
        columns.append(np.broadcast_to(np.asarray(requant.shifts) - shape.implied_shift, bias.shape))
    return np.stack(columns, axis=1).astype(np.int32)


def vector_constants(node: Node, bias: Array) -> Array:
    """`channel_constants` for vector shifts: where channels do not share it, the shift is negative, to the left."""
    constants = channel_constants(node, bias)
    if scaling(node).shift is None:
        constants[:, 2] *= -1
    return constants
