"""Where the sign of a line over whole numbers changes: exact, in rational numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from ..ir import Array
from ..ops.window import Window


@dataclass(frozen=True)
class Line:
    """slope * S + offset."""

    slope: Fraction
    offset: Fraction

    def then(self, factor: float, offset: float) -> Line:
        """Times a factor, plus an offset."""
        f = Fraction(factor)
        return Line(self.slope * f, self.offset * f + Fraction(offset))

    @property
    def root(self) -> Fraction:
        """The S at which it is zero; for slopes other than 0."""
        return -self.offset / self.slope


def lines(sizes: Array, magnitude: float, offsets: Array, behind: Sequence[tuple[Array, Array]]) -> list[Line] | None:
    """Per channel sizes[c] * magnitude * S + offsets[c], and what comes behind; None where a number is not finite."""
    numbers: list[Array] = [sizes, np.asarray(magnitude), offsets, *(v for pair in behind for v in pair)]
    if not all(np.all(np.isfinite(v)) for v in numbers):
        return None
    factor = Fraction(magnitude)
    made = [Line(Fraction(float(s)) * factor, Fraction(float(o))) for s, o in zip(sizes, offsets, strict=True)]
    for factors, more in behind:
        made = [line.then(float(f), float(o)) for line, f, o in zip(made, factors, more, strict=True)]
    return made


@dataclass(frozen=True)
class Threshold:
    """The sign is +1 where S >= `least`, with S of turned signs where `turned`."""

    least: int
    turned: bool


def threshold(line: Line, places: int, zero_is_positive: bool) -> Threshold:
    """For |S| <= places; -places where the sign is always +1, places + 1 where it never is."""
    if line.slope == 0:
        positive = line.offset > 0 or (line.offset == 0 and zero_is_positive)
        return Threshold(-places if positive else places + 1, False)
    turned = line.slope < 0
    root = -line.root if turned else line.root
    least = ceil(root) if zero_is_positive else floor(root) + 1
    return Threshold(min(max(least, -places), places + 1), turned)


def may_be_zero(line: Line, places: set[int]) -> bool:
    """Whether a sum of so many terms -1 and +1 can make the line zero."""
    if line.slope == 0:
        return line.offset == 0
    root = line.root
    if root.denominator != 1:
        return False
    return any(abs(root) <= count and (count - int(root)) % 2 == 0 for count in places)


def places_of(window: Window, height: int, width: int, channels: int, counts_padding: bool) -> set[int]:
    """How many terms the sums of a convolution have."""
    if counts_padding:
        return {window.taps * channels}
    inside = window.views(np.ones((1, height, width, 1), np.int64)).sum(axis=(-2, -1))
    return {int(count) * channels for count in np.unique(inside)}
