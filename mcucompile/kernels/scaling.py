"""How a kernel turns an integer sum into a stored output: the part of its parameters that every such kernel shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Node, Requant, Rounding, integer_clip
from .kernel import Packed


@dataclass(frozen=True)
class Scaling:
    """stored = clamp(requantize(acc) + zero, low, high).

    `multiplier` and `shift` are literals where all channels share them; None means an array per channel, which the C
    function takes as `const int32_t *multiplier` and `const uint8_t *shift`. The macro `scaled` of
    templates/lib/fixed.j2 prints the expression; `scaling_parameters` prints those two parameters.
    """

    rounding: Rounding
    multiplier: int | None
    shift: int | None
    zero: int
    low: int
    high: int
    dtype: str
    wide: bool

    @property
    def gemmlowp(self) -> bool:
        return self.rounding is Rounding.GEMMLOWP


def requant_of(node: Node) -> Requant:
    requant = getattr(node.op, "requant", None)
    assert isinstance(requant, Requant), f"{node.where} has no fixed-point constants yet"
    return requant


def scaling(node: Node, wide: bool = False) -> Scaling:
    """The scaling of a node whose operator has a `requant`; `wide` sums are int64."""
    requant, output = requant_of(node), node.output
    low, high = integer_clip(getattr(node.op, "clip", NO_CLIP), node)
    multipliers = set(requant.multipliers)
    return Scaling(
        requant.rounding,
        multipliers.pop() if len(multipliers) == 1 and requant.shift is not None else None,
        requant.shift,
        output.quant.zero if output.quant else 0,
        low,
        high,
        output.dtype.c,
        wide,
    )


def scaling_constants(node: Node, channels: int) -> tuple[Packed, ...]:
    """The arrays that go with `scaling(node)`, one entry per output channel."""
    requant, shape = requant_of(node), scaling(node)
    arrays = []
    if shape.multiplier is None:
        arrays.append(Packed("multiplier", np.broadcast_to(np.asarray(requant.multipliers, np.int32), (channels,))))
    if shape.shift is None:
        arrays.append(Packed("shift", np.broadcast_to(np.asarray(requant.shifts, np.uint8), (channels,))))
    return tuple(arrays)
