"""How a kernel turns an integer sum into a stored output: the part of its parameters that every such kernel shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Array, DType, Node, Requant, Rounding, integer_clip
from .kernel import Packed

HIGH_SHIFT = 33  # from here on, and for GEMMLOWP from one less, the high word of a product suffices
SETTLED_MULTIPLIER = 1 << 30


@dataclass(frozen=True)
class Scaling:
    """stored = clamp(requantize(acc) + zero, low, high).

    `multiplier` and `shift` are literals where all channels share them; None means an array per channel, which the C
    function takes as `const int32_t *multiplier` and `const uint8_t *shift`. The macro `scaled` of
    templates/lib/fixed.j2 prints the expression; `scaling_parameters` prints those two parameters.
    `high_word`: every shift is so large that the product's low word only matters for one rounding bit, and C works on
    the high word; `shift` is then less by 32 (GEMMLOWP: 31), and the array of shifts by `implied_shift`.
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
        """What an array of shifts is less by. HALF_UP shifts its last bit apart: ((h >> (t - 1)) + 1) >> 1."""
        if not self.high_word:
            return 0
        return 31 if self.gemmlowp else 33

    @property
    def offset(self) -> int | None:
        """Rounding constant and zero point in one, where the high word of a product has room for both."""
        return None if self.gemmlowp else self._offset

    @property
    def away_offset(self) -> int | None:
        """The same for GEMMLOWP's second rounding, of products that are less by 1 where they are negative."""
        return self._offset if self.gemmlowp else None

    @property
    def _offset(self) -> int | None:
        if not self.high_word or self.shift is None or self.shift > 22:
            return None
        if abs(self.zero) << self.shift > 1 << 29:  # the word reaches 2**30, the rounding constant 2**21
            return None
        return (1 << (self.shift - 1)) + (self.zero << self.shift)


def requant_of(node: Node) -> Requant:
    """The node's requantization. Channels whose sum is constant get a shift that does not keep others from HIGH_SHIFT.

    A channel of zero weights has no meaningful scale, and often an extreme one. `settled_bias` goes with this.
    """
    requant = getattr(node.op, "requant", None)
    assert isinstance(requant, Requant), f"{node.where} has no fixed-point constants yet"
    if not settles(node, requant):
        return requant
    constant = constant_channels(node)
    zero: Array = np.asarray(requant.multipliers) == 0
    multipliers = np.where(constant, SETTLED_MULTIPLIER, requant.multipliers)
    shifts = np.where(constant | zero, HIGH_SHIFT, requant.shifts)
    return Requant(tuple(map(int, multipliers)), tuple(map(int, shifts)), requant.rounding)


def settles(node: Node, requant: Requant) -> bool:
    """Whether the shifts of constant channels, and of those scaled by 0, are replaced by HIGH_SHIFT."""
    zero: Array = np.asarray(requant.multipliers) == 0
    idle = constant_channels(node) | zero
    live = [s for s, is_idle in zip(requant.shifts, idle, strict=True) if not is_idle] if idle.size > 1 else []
    return requant.shift is None and bool(live) and min(live) >= HIGH_SHIFT - 1 and bool(idle.any())


def constant_channels(node: Node) -> Array:
    """Per entry of the requantization, whether all weights of the output channel are zero."""
    requant: Requant = node.op.requant  # type: ignore[attr-defined]
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if weight is None or weight.const is None or weight.quant is None or weight.quant.axis is None:
        return np.zeros(len(requant.shifts), np.bool_)
    rows = np.moveaxis(weight.const, weight.quant.axis, 0).reshape(len(requant.shifts), -1)
    return np.asarray(np.count_nonzero(rows, axis=1) == 0)


def settled_bias(node: Node, bias: Array) -> Array:
    """The bias for `requant_of`: 8*r * 2**30 / 2**33 is r in both roundings, for the r that a constant sum becomes."""
    requant: Requant = node.op.requant  # type: ignore[attr-defined]
    if not settles(node, requant):
        return bias
    reach = 4 * node.output.dtype.high  # beyond it everything saturates
    settled: Array = np.where(constant_channels(node), 8 * np.clip(requant.apply(bias), -reach, reach), bias)
    return settled


def is_wide(node: Node) -> bool:
    """Whether integer sums need 64 bits, which only 16-bit activations can bring about."""
    bound = node.op.sum_bound(node)
    return bound is not None and bound > DType.I32.high


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
        return all(s >= HIGH_SHIFT for s in requant.shifts)
    bound = node.op.sum_bound(node)
    return bound is not None and bound < 1 << 30 and all(HIGH_SHIFT - 1 <= s <= 60 for s in requant.shifts)


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
    """`channel_constants` for vector shifts: where channels do not share it, the shift is whole, and negative."""
    constants, shape = channel_constants(node, bias), scaling(node)
    if shape.shift is None:
        constants[:, 2] = -constants[:, 2] - (0 if shape.gemmlowp else 1)
    return constants
