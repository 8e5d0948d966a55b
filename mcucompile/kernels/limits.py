"""The bounds of an operator's activation as its kernels print them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir import NO_CLIP, Clip, DType, Node, integer_clip

Number = int | float
Bounds = tuple[Number | None, Number | None]


@dataclass(frozen=True)
class Limits:
    """A stored output's type and bounds, for the macro `limited_to` of templates/lib/fixed.j2."""

    dtype: str
    low: int
    high: int

    @property
    def saturates_int8(self) -> bool:
        return (self.low, self.high) == (-128, 127)


def limits(node: Node) -> Limits:
    """Of an integer output."""
    return Limits(node.output.dtype.c, *integer_clip(getattr(node.op, "clip", NO_CLIP), node))


def bounds(node: Node) -> Bounds:
    """The bounds of the operator's `clip` on stored values; None where no value of the output's type exceeds it."""
    dtype = node.output.dtype
    clip: Clip = getattr(node.op, "clip", NO_CLIP)
    if dtype is DType.F32:
        return clip.low if math.isfinite(clip.low) else None, clip.high if math.isfinite(clip.high) else None
    low, high = integer_clip(clip, node)
    return low if low > dtype.low else None, high if high < dtype.high else None
