"""TensorFlow Lite's sums of int8 that a linear sum gives bit for bit.

Its three roundings almost never make a difference to a result of 8 bits, and where they do, a slightly different offset
may make up for it. With 65,536 pairs of operands all can be tried: a linear sum that gives what TensorFlow Lite's gives
for every pair is the same function, at a fifth of the instructions.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from ...ir import DType, Node, integer_clip
from ...ops.fixed_point import WORD
from ...ops.linear_sum import GemmlowpSum, LinearSum, ScaledSum, linear_sum

NEARBY = sorted(product(range(-3, 4), repeat=2), key=lambda d: d[0] ** 2 + d[1] ** 2)  # changes of the multipliers


def linear_of(node: Node) -> LinearSum | None:
    """The linear sum that computes the node, exactly; None where there is none, or none was found."""
    assert isinstance(node.op, ScaledSum)
    fixed = node.op.fixed
    if not isinstance(fixed, GemmlowpSum):
        return fixed
    if not all(t.dtype is DType.I8 for t in (*node.inputs, node.output)):
        return None
    return same_for_all_pairs(fixed, linear_sum(node, node.op.sign), *integer_clip(node.op.clip, node))


@cache
def same_for_all_pairs(fixed: GemmlowpSum, start: LinearSum, low: int, high: int) -> LinearSum | None:
    """A 32-bit linear sum near `start` that equals `fixed` within low..high for every pair of int8."""
    values = np.arange(DType.I8.low, DType.I8.high + 1, dtype=np.int64)
    a, b = values[:, None], values[None, :]
    wanted = np.clip(fixed.apply(a, b), low, high)
    for change in NEARBY:
        ma, mb = (m + d for m, d in zip(start.multipliers, change, strict=True))
        products = a * ma + b * mb
        # wanted << shift <= products + offset < (wanted + 1) << shift, but for what saturates
        least = np.where(wanted > low, (wanted << start.shift) - products, -WORD).max()
        most = np.where(wanted < high, ((wanted + 1) << start.shift) - products - 1, WORD).min()
        offset = int(min(max(start.offset, least), most))
        if least <= most and 128 * (abs(ma) + abs(mb)) + abs(offset) <= WORD:
            return LinearSum((ma, mb), offset, start.shift, 32)
    return None
