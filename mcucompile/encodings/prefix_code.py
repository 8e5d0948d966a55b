"""Canonical prefix codes of limited length, and the table that decodes them with one look-up a symbol.

Lengths are optimal among codes with none above the limit (package-merge: Larmore and Hirschberg, 1990). The first bit
of a code is the lowest, so that the next `bits` bits of a stream are an index of the table, whose entries are
symbol + 256 * length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array

MOST_BITS = 12
_ENTRY_NBYTES = 2


@dataclass(frozen=True, eq=False)
class PrefixCode:
    """`codes` and `lengths` by symbol, 0 where a symbol does not occur; `bits` is the longest length."""

    codes: Array
    lengths: Array
    bits: int

    @property
    def table(self) -> Array:
        """int16 [2^bits]."""
        table = np.zeros(1 << self.bits, np.int16)
        for symbol in np.flatnonzero(self.lengths >= 0):
            table[int(self.codes[symbol]) :: 1 << int(self.lengths[symbol])] = symbol + 256 * int(self.lengths[symbol])
        return table


def code_lengths(counts: Array, limit: int) -> Array:
    """The lengths for symbols that occur so often, at least once each, at most 2^limit of them."""
    assert 0 < counts.size <= 1 << limit
    if counts.size == 1:
        return np.zeros(1, np.int64)
    order = np.argsort(counts, kind="stable")
    coins = [(int(counts[s]), (int(s),)) for s in order]
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(limit):
        merged = sorted([*coins, *packages], key=lambda package: package[0])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[0::2], merged[1::2], strict=False)]
    taken = [symbol for _, symbols in packages[: counts.size - 1] for symbol in symbols]
    return np.bincount(taken, minlength=counts.size)


def canonical_codes(lengths: Array) -> Array:
    """Codes in order of length, then of symbol; the first bit of a code is its lowest."""
    codes = np.zeros(lengths.size, np.int64)
    code, before = 0, 0
    for symbol in np.lexsort((np.arange(lengths.size), lengths)):
        length = int(lengths[symbol])
        code <<= length - before
        codes[symbol] = int(f"{code:0{length}b}"[::-1], 2) if length else 0
        code, before = code + 1, length
    return codes


def best_code(counts: Array, most: int = MOST_BITS) -> PrefixCode:
    """Of the codes for symbols 0.. that occur so often, none longer than `most`, the one that takes least flash."""
    found = np.flatnonzero(counts)
    least = max(0, int(found.size - 1).bit_length())
    codes = [_code(counts, found, limit) for limit in range(least, max(least, min(most, found.size - 1)) + 1)]
    return min(codes, key=lambda code: code_nbytes(code, counts))


def code_nbytes(code: PrefixCode, counts: Array) -> float:
    """Bytes of the table, and of the symbols in a stream."""
    used = counts > 0
    return _ENTRY_NBYTES * (1 << code.bits) + float((counts[used] * code.lengths[used]).sum()) / 8


def _code(counts: Array, found: Array, limit: int) -> PrefixCode:
    lengths = np.full(counts.size, -1)
    lengths[found] = code_lengths(counts[found], limit)
    codes = np.zeros(counts.size, np.int64)
    codes[found] = canonical_codes(lengths[found])
    return PrefixCode(codes, lengths, int(lengths.max()))


def written(codes: Array, lengths: Array) -> Array:
    """The codes one behind another: int16 [halfwords], at least one, the first bit lowest."""
    places = np.arange(MOST_BITS)
    bits = (codes[:, None] >> places & 1)[places < lengths[:, None]].astype(np.uint8)
    padded = np.pad(bits, (0, -bits.size % 16 if bits.size else 16))
    return np.packbits(padded, bitorder="little").view(np.int16)
