"""Values as codes of a canonical Huffman code; between them, where zeros are many, the lengths of the runs of zeros.

With runs a stream is tokens: a gap (so many zeros, at most `longest`), then a value. A longer run continues behind a
value that is zero. Gaps and values have a code each. This is how Deep Compression (Han et al., 2016) keeps a pruned
layer: its relative indices are the gaps, its codebook's entries the values. Without runs a token is a value.

Decoded by tables (prefix_code.py). Limiting the lengths of codes makes tables small and streams long; both are weighed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .encoding import LEAST_SAVED, MIRRORED, PLAIN, SHIFTED, Encoded, Encoding, Layout, Params, masked
from .pace import PACES, Pace
from .prefix_code import MOST_BITS, PrefixCode, best_code, code_nbytes, written

LONGEST = (3, 7, 15, 31, 63, 127)
GAP_BITS, VALUE_BITS = 7, 9  # at most, with runs: a token is fetched at once, in 16 bits
WORTHWHILE = 0.375  # of the bytes, at most, where nobody asked for it


@dataclass(frozen=True)
class HuffmanParams(Params):
    """`runs`: whether values have gaps between them."""

    runs: bool


@dataclass(frozen=True, eq=False)
class _Tokens:
    """Values as 0..255 with the gap before each, and the codes for both; without runs all gaps are 0, of 0 bits."""

    gaps: Array
    values: Array
    gap_code: PrefixCode
    value_code: PrefixCode

    @property
    def nbytes(self) -> float:
        """Of both tables and of the codes."""
        gaps, values = np.bincount(self.gaps), np.bincount(self.values, minlength=256)
        return code_nbytes(self.gap_code, gaps) + code_nbytes(self.value_code, values)

    def written(self) -> Array:
        codes = np.stack([self.gap_code.codes[self.gaps], self.value_code.codes[self.values]], axis=1)
        lengths = np.stack([self.gap_code.lengths[self.gaps], self.value_code.lengths[self.values]], axis=1)
        return written(codes.reshape(-1), lengths.reshape(-1))


@dataclass(frozen=True)
class Huffman(Encoding):
    """Arrays: the codes, the table of the values and, with runs, the table of the gaps."""

    template: ClassVar[str] = "encodings/huffman.c.j2"

    @property
    def name(self) -> str:
        return "huffman"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        return values.size > 0

    def pays(self, values: Array) -> bool:
        counts = np.bincount(values.view(np.uint8), minlength=256)
        shares = counts[counts > 0] / max(1, values.size)
        nbytes = float(-(shares * np.log2(shares)).sum()) * values.size / 8 + 2 * shares.size
        return nbytes <= WORTHWHILE * values.size and values.size - nbytes >= LEAST_SAVED

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        values = np.ascontiguousarray(values, np.int8)
        plain = _tokens(np.zeros(values.size, np.int64), values)
        tokens = min([plain, *_with_runs(values)], key=lambda tokens: tokens.nbytes)
        table = tokens.value_code.table ^ (128 if layout.shifted else 0)
        arrays = (("codes", tokens.written()), ("values", table))
        if tokens is plain:
            mask = layout.mask if layout.mirrored else 0
            return Encoded(arrays, HuffmanParams(mask, runs=False), values.size, tokens.gaps.size)
        params = HuffmanParams(layout.mask, runs=True)
        return Encoded((*arrays, ("gaps", tokens.gap_code.table)), params, values.size, tokens.gaps.size)

    def decode(self, encoded: Encoded) -> Array:
        (_, codes), (_, value_table), *rest = encoded.arrays
        gap_table = rest[0][1] if rest else np.zeros(1, np.int16)
        reader = _Reader(codes)
        values = np.full(encoded.count, -128 if encoded.params.mask == SHIFTED else 0, np.int8)
        at = reader.symbol(gap_table)
        while at < encoded.count:
            values[at : at + 1] = np.array([reader.symbol(value_table)], np.uint8).view(np.int8)
            at += reader.symbol(gap_table) + 1
        return masked(values, MIRRORED) if encoded.params.mask == MIRRORED else values

    def pace(self, params: Params) -> Pace:
        assert isinstance(params, HuffmanParams)
        return PACES["huffman runs" if params.runs else "huffman"]


def _with_runs(values: Array) -> list[_Tokens]:
    """The tokens for each longest run, where there are zeros."""
    if not (values == 0).any():
        return []
    return [_tokens(*split_runs(values, longest)) for longest in LONGEST]


def split_runs(values: Array, longest: int) -> tuple[Array, Array]:
    """(gaps, values): so many zeros, then a value, and so on.

    Zeros at the end are before one more value, which nobody asks for.
    """
    places = np.flatnonzero(values)
    wanted = values[places]
    if not places.size or places[-1] != values.size - 1:
        places, wanted = np.append(places, values.size), np.append(wanted, wanted[:1] if wanted.size else np.int8(0))
    runs = np.diff(places, prepend=-1) - 1
    last = np.cumsum(runs // (longest + 1) + 1) - 1
    gaps = np.full(last[-1] + 1, longest)
    gaps[last] = runs % (longest + 1)
    ends = np.zeros(gaps.size, np.int8)
    ends[last] = wanted
    return gaps, ends


def _tokens(gaps: Array, values: Array) -> _Tokens:
    """With the codes that are best for them; those of a token fit into 16 bits."""
    symbols = values.view(np.uint8).astype(np.int64)
    gap_code = best_code(np.bincount(gaps), GAP_BITS)
    value_code = best_code(np.bincount(symbols, minlength=256), VALUE_BITS if gaps.any() else MOST_BITS)
    return _Tokens(gaps, symbols, gap_code, value_code)


class _Reader:
    """Takes symbols from halfwords, of which the lowest bit is the first; zeros follow the last."""

    def __init__(self, codes: Array) -> None:
        self._bytes, self._at = codes.tobytes(), 0

    def symbol(self, table: Array) -> int:
        window = int.from_bytes(self._bytes[self._at >> 3 : (self._at >> 3) + 3], "little") >> (self._at & 7)
        entry = int(table[window & (table.size - 1)])
        self._at += entry >> 8
        return entry & 255
