"""Values of few bits: -8..7, -2..1, -1 and 1, or -1, 0 and 1 as digits of base 3. See templates/encodings/narrow.c.j2.

A group is 4 bytes and is unpacked to words of four values: value 4 * k + i of a group is digit k of byte i.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .encoding import LEAST_SAVED, PLAIN, Encoded, Encoding, Layout, Params, masked
from .pace import PACES, Pace

_BYTES = 4
_BASE3 = (81, 27, 9, 3, 1)


@dataclass(frozen=True)
class NarrowParams(Params):
    """`bits` of a value, 0 where they are digits of base 3; `group`: values in 4 bytes."""

    bits: int
    group: int


@dataclass(frozen=True)
class Narrow(Encoding):
    """`bits` as in NarrowParams; a value is low + step * what is stored, of which there are `levels`."""

    template: ClassVar[str] = "encodings/narrow.c.j2"
    faster: ClassVar[Mapping[str, str]] = {"MVE": "encodings/narrow.mve.c.j2"}

    label: str
    bits: int
    low: int
    step: int
    levels: int

    @property
    def name(self) -> str:
        return self.label

    @property
    def group(self) -> int:
        return 32 // self.bits if self.bits else 20

    @property
    def span(self) -> str:
        """Which integers it holds, for messages."""
        last = self.low + self.step * (self.levels - 1)
        return f"{self.low}..{last}" if self.step == 1 else f"{self.low} and {last}"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        stored, rest = np.divmod(values.astype(np.int16) - self.low, self.step)
        return bool((rest == 0).all() and (stored >= 0).all() and (stored < self.levels).all())

    def pays(self, values: Array) -> bool:
        saved = values.size - _BYTES * -(-values.size // self.group)
        return saved >= LEAST_SAVED and self.fits(values)

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        assert self.fits(values), f"{self.name} cannot hold these values"
        stored = (values.astype(np.int16) - self.low) // self.step
        padded = np.pad(stored, (0, -values.size % self.group))
        codes = self._packed(padded.reshape(-1, self.group // _BYTES, _BYTES))
        params = NarrowParams(layout.mask, self.bits, self.group)
        return Encoded((("codes", codes),), params, values.size)

    def decode(self, encoded: Encoded) -> Array:
        ((_, codes),) = encoded.arrays
        stored = self._unpacked(codes).reshape(-1)[: encoded.count]
        return masked((stored * self.step + self.low).astype(np.int8), encoded.params.mask)

    def _packed(self, digits: Array) -> Array:
        """[groups, digits, 4] -> uint8 [groups, 4]."""
        if self.bits:
            shifts = self.bits * np.arange(digits.shape[1])
            packed = (digits << shifts[:, None]).sum(axis=1)
        else:
            packed = (256 * (digits * np.array(_BASE3)[:, None]).sum(axis=1) + 242) // 243
        return np.asarray(packed, np.uint8)

    def _unpacked(self, codes: Array) -> Array:
        """uint8 [groups, 4] -> [groups, digits, 4]."""
        rest = codes.astype(np.int16)
        digits = []
        for _ in range(self.group // _BYTES):
            digits.append(rest & ((1 << self.bits) - 1) if self.bits else rest * 3 >> 8)
            rest = rest >> self.bits if self.bits else rest * 3 & 255
        return np.stack(digits, axis=1)

    def pace(self, params: Params) -> Pace:
        return PACES[self.name]


NARROW = (
    Narrow("int4", bits=4, low=-8, step=1, levels=16),
    Narrow("int2", bits=2, low=-2, step=1, levels=4),
    Narrow("ternary", bits=0, low=-1, step=1, levels=3),
    Narrow("binary", bits=1, low=-1, step=2, levels=2),
)
