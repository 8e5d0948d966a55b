"""Two products in one multiplication, on cores that only multiply 32 by 32 bits to 32.

A word x = p + q * 2**16 holds a value of each of two windows. The words of a group of taps are summed with their
weights, from 2**15 on, modulo 2**32:

    t = 2**15 + sum(w * x) = (2**15 + sum(w * p)) + sum(w * q) * 2**16.

While sum(|w|) <= 255, the lower half of t is 2**15 + sum(w * p) and the upper half sum(w * q), exactly. So over all
groups, with `high` the sum of t >> 16 and `total` that of t,

    sum(w * q) = high    and    sum(w * p) = total - (high << 16) - 2**15 * groups    modulo 2**32.

What a group's weights have too much is moved out of it: an `Excess` is a group of its own, of a tap and a part of its
weight. That holds for any weights, -128 included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...ir import Array

START = 1 << 15
MAX_GROUP_SUM = 255
WEIGHT_ZERO = 128  # weights are stored as w + 128: unsigned bytes can be loaded at an offset, signed ones cannot


@dataclass(frozen=True)
class Excess:
    """A part of the weight of a tap, multiplied by itself."""

    tap: int
    weight: int


def split_excess(weights: Array, size: int) -> tuple[Array, tuple[Excess, ...]]:
    """One channel's weights, a multiple of `size`, as those that stay in their groups and what is moved out."""
    kept = weights.astype(np.int64)
    groups, excesses = kept.reshape(-1, size), []
    for index in np.flatnonzero(np.abs(groups).sum(axis=1) > MAX_GROUP_SUM).tolist():
        group = groups[index]
        while (surplus := int(np.abs(group).sum()) - MAX_GROUP_SUM) > 0:
            tap = int(np.abs(group).argmax())
            moved = int(np.sign(group[tap])) * min(abs(int(group[tap])), surplus)
            group[tap] -= moved
            excesses.append(Excess(index * size + tap, moved))
    return kept, tuple(excesses)


def excess_count(rows: Array, size: int) -> int:
    """How many excesses the channels in `rows` [O, K] have."""
    return counted(rows.astype(np.int16).tobytes(), size)


@lru_cache(maxsize=16)
def counted(weights: bytes, size: int) -> int:
    """Of int16 weights in groups: as many of the largest of each group as sum up to its surplus."""
    groups = np.abs(np.frombuffer(weights, np.int16)).reshape(-1, size)
    groups = groups[groups.sum(axis=1) > MAX_GROUP_SUM]
    surplus = groups.sum(axis=1) - MAX_GROUP_SUM
    largest = np.cumsum(np.sort(groups, axis=1)[:, ::-1], axis=1)
    return int((1 + (largest < surplus[:, None]).sum(axis=1)).sum())


def initial_sums(bias: int, groups: int) -> tuple[int, int]:
    """(total, high) that make both windows' sums start from the bias, `groups` groups counted, as int32 values."""
    total = (bias + (bias << 16) - groups * START) & 0xFFFFFFFF
    return total - (1 << 32) if total >= 1 << 31 else total, bias
