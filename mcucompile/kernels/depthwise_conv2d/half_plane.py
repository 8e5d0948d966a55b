"""The plane of a depthwise convolution with two outputs in the halves of a word, and how its windows are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..digits import Digits
from .planes import Axis

POOL = ("r3", "r4", "r5", "r6")  # registers for the values of a row but the first
SLOTS = ("window", "row", "y", "y_row", "off", "bias", "digits", "excess", "rows", "blocks")  # words of the stack


@dataclass(frozen=True)
class Segment:
    """`count` neighbouring words of a row of the plane, and whether both halves lie inside the image or only one."""

    first: int
    count: int
    inside: tuple[bool, bool]


@dataclass(frozen=True)
class HalvesParams:
    """Rows of the plane run along `along`: rows of the image, or `columns`. `half` outputs of that axis, or of `across`
    else, are in each half of the words. `outputs` neighbours are computed at once. Sums are split after `size` taps.
    """

    batch: int
    channels: int
    multiplier: int
    columns: bool
    along: Axis
    across: Axis
    pairs_along: bool
    half: int
    outputs: int
    size: int
    has_excess: bool
    fill: int
    digits: Digits

    @property
    def paired(self) -> Axis:
        return self.along if self.pairs_along else self.across

    @property
    def second(self) -> int:
        """Which output of the paired axis is the first of the second half."""
        return self.paired.outputs - self.half

    @property
    def shift(self) -> int:
        """Pixels between the halves of a word."""
        return self.second * self.paired.stride

    @property
    def row_outputs(self) -> int:
        return self.half if self.pairs_along else self.along.outputs

    @property
    def row_count(self) -> int:
        return self.across.outputs if self.pairs_along else self.half

    @property
    def blocks(self) -> int:
        """Of `outputs` neighbours in a row; the last may overlap the one before it."""
        return -(-self.row_outputs // self.outputs)

    @property
    def is_ragged(self) -> bool:
        return self.row_outputs % self.outputs > 0

    @property
    def pitch(self) -> int:
        return (self.row_outputs - 1) * self.along.stride + self.along.taps

    @property
    def plane_rows(self) -> int:
        return (self.row_count - 1) * self.across.stride + self.across.taps

    @property
    def plane_words(self) -> int:
        return self.pitch * self.plane_rows

    @property
    def row_words(self) -> int:
        """That a block reads of a row."""
        return self.along.taps + (self.along.stride if self.outputs == 2 else 0)

    @property
    def taps(self) -> int:
        return self.along.taps * self.across.taps

    @property
    def groups(self) -> int:
        return self.across.taps * -(-self.along.taps // self.size)

    @property
    def weight_words(self) -> int:
        return -(-self.taps // 4)

    @property
    def block_nbytes(self) -> int:
        """Code of the products and splits of a block."""
        return (2 + 4 * self.outputs) * self.taps + 8 * self.outputs * self.groups + 8 * self.across.taps

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The words of a row that have a value of the image in any half, where its row lies inside."""
        shift = self.shift if self.pairs_along else 0
        inside = [tuple(0 <= j + s - self.along.pad < self.along.size for s in (0, shift)) for j in range(self.pitch)]
        found: list[Segment] = []
        for j, (p, q) in enumerate(inside):
            if found and found[-1].inside == (p, q) and found[-1].first + found[-1].count == j:
                found[-1] = replace(found[-1], count=found[-1].count + 1)
            elif p or q:
                found.append(Segment(j, 1, (p, q)))
        return tuple(found)

    @property
    def filled_rows(self) -> tuple[int, int]:
        """The first row of the plane that has a value of the image, and the one behind the last."""
        shift = 0 if self.pairs_along else self.shift
        rows = [i for i in range(self.plane_rows) if self.row_inside(i) or self.row_inside(i + shift)]
        return (rows[0], rows[-1] + 1) if rows else (0, 0)

    @property
    def has_border(self) -> bool:
        """Whether some words are padding in both halves."""
        first, last = self.filled_rows
        return sum(s.count for s in self.segments) * (last - first) < self.plane_words

    @property
    def first_inside(self) -> tuple[int, int]:
        """The column of the image that each half of the first segment has a value of, or will have."""
        first = self.segments[0].first - self.along.pad
        return max(first, 0), max(first + (self.shift if self.pairs_along else 0), 0)

    @property
    def x_nbytes(self) -> int:
        return max(a.size * a.x_step for a in (self.along, self.across))

    @property
    def y_nbytes(self) -> int:
        return max(a.outputs * a.y_step for a in (self.along, self.across))

    def slot(self, name: str) -> int:
        """Where a variable of the assembly lies on the stack, behind the weights."""
        return 4 * (self.taps + SLOTS.index(name))

    @property
    def frame_nbytes(self) -> int:
        return 4 * (self.taps + len(SLOTS))

    def number_parts(self, number: int) -> list[int]:
        """The bytes of a number, highest first."""
        return list(number.to_bytes((number.bit_length() + 7) // 8, "big"))

    def row_inside(self, row: int) -> bool:
        return 0 <= row - self.across.pad < self.across.size

    def value(self, j: int) -> str:
        """The register of value number j of a row."""
        return "r0" if j == 0 else POOL[(j - 1) % len(POOL)]

    def loads(self) -> list[str]:
        """Per tap of a row, the registers that are loaded before it: as many as are free, upward."""
        ahead = self.along.stride if self.outputs == 2 else 0
        loads, loaded = [], 0
        for tap in range(self.along.taps):
            registers: list[str] = []
            if loaded <= tap + ahead:
                while loaded < self.row_words and loaded <= max(tap, 1) + len(POOL) - 1:
                    if registers and self.value(loaded) <= registers[-1]:
                        break
                    registers.append(self.value(loaded))
                    loaded += 1
            loads.append(", ".join(registers))
        return loads

    def ends_group(self, tap: int) -> bool:
        return (tap + 1) % self.size == 0 or tap + 1 == self.along.taps
