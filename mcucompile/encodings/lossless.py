"""Any bytes, as literals and copies of what was written before, much as in LZ4's blocks.

A stream is sequences: a token byte, literals, and a copy with its offset of 1 or 2 bytes. The token's high half counts
the literals; its low half is 0 where no copy follows, or the copy's length minus 2, from `offset` bytes back. A half of
15 is continued by bytes that are added to it, up to and with the first that is not 255: those of the literals before
them, those of the copy behind the offset. Copies stay inside one call of `next`, whose destination is the window.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .codebook import Codebook
from .encoding import LEAST_SAVED, PLAIN, Encoded, Encoding, Layout, Params, masked
from .huffman import Huffman
from .pace import PACES, Pace

SHORTEST = 3
LESS = 2  # of a copy's length than is kept
HALF = 15
CANDIDATES = 16  # places whose copies are compared
WORTHWHILE = 0.5  # of the bytes, at most, where nobody asked for it
LONGEST_STEP = 256  # bytes that are compared at once
_SAMPLE = 1024


@dataclass(frozen=True)
class LosslessParams(Params):
    """`offset_nbytes`: 1 or 2."""

    offset_nbytes: int


@dataclass(frozen=True)
class Copy:
    """`literals` [first, at), then `length` bytes from `offset` back; at the end of a tile `length` is 0."""

    first: int
    at: int
    offset: int
    length: int


@dataclass(frozen=True)
class Lossless(Encoding):
    """Needs calls of `next` with the tile of the layout as their count; without one each byte takes two."""

    template: ClassVar[str] = "encodings/lossless.c.j2"
    needs_tiles: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "lossless"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        return values.size > 0

    def pays(self, values: Array) -> bool:
        """Not where values are few or uneven: encodings that make use of that are smaller and faster."""
        some = values[:_SAMPLE]
        if values.size * (1 - WORTHWHILE) < LEAST_SAVED or Codebook().pays(values) or Huffman().pays(values):
            return False
        return len(_packed(some.tobytes(), 1)[0]) <= WORTHWHILE * some.size

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        data = masked(values, layout.mask).tobytes()
        tile = layout.tile or 1
        tiles = [data[i : i + tile] for i in range(0, len(data), tile)]
        packed = {n: [_packed(t, n) for t in tiles] for n in (1, 2)}
        offset_nbytes = min(packed, key=lambda n: sum(len(codes) for codes, _ in packed[n]))
        codes = np.frombuffer(b"".join(codes for codes, _ in packed[offset_nbytes]), np.uint8)
        sequences = sum(count for _, count in packed[offset_nbytes])
        return Encoded((("codes", codes),), LosslessParams(0, offset_nbytes), values.size, sequences)

    def decode(self, encoded: Encoded) -> Array:
        ((_, codes),) = encoded.arrays
        assert isinstance(encoded.params, LosslessParams)
        return np.frombuffer(_unpacked(codes.tobytes(), encoded.params.offset_nbytes), np.int8)

    def pace(self, params: Params) -> Pace:
        return PACES[self.name]


def _packed(data: bytes, offset_nbytes: int) -> tuple[bytes, int]:
    """One tile, and how many sequences it is."""
    out = bytearray()
    copies = _copies(data, 256**offset_nbytes - 1, offset_nbytes)
    for copy in copies:
        literals, rest = copy.at - copy.first, max(0, copy.length - LESS)
        out.append(min(literals, HALF) << 4 | min(rest, HALF))
        out += _continued(literals) + data[copy.first : copy.at]
        if copy.length:
            out += copy.offset.to_bytes(offset_nbytes, "little") + _continued(rest)
    return bytes(out), len(copies)


def _continued(count: int) -> bytes:
    """The bytes that continue a half of a token."""
    return b"" if count < HALF else b"\xff" * ((count - HALF) // 255) + bytes([(count - HALF) % 255])


def _copies(data: bytes, farthest: int, offset_nbytes: int) -> list[Copy]:
    """From the start to the end, the longest copy wherever there is one that is shorter than its bytes."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    copies, first, at = [], 0, 0
    while at < len(data):
        length, offset = _longest(data, at, places[data[at : at + SHORTEST]], farthest)
        if length > offset_nbytes + 1:
            copies.append(Copy(first, at, offset, length))
            first = at + length
        for k in range(at, max(first, at + 1)):
            places[data[k : k + SHORTEST]].append(k)
        at = max(first, at + 1)
    return copies if first == len(data) else [*copies, Copy(first, len(data), 0, 0)]


def _longest(data: bytes, at: int, places: list[int], farthest: int) -> tuple[int, int]:
    """(length, offset) of the longest copy from one of the last places."""
    best = (0, 0)
    for place in reversed(places[-CANDIDATES:]):
        if at - place > farthest or at + best[0] == len(data):
            break
        if data[place + best[0]] == data[at + best[0]] and (length := _common(data, place, at)) > best[0]:
            best = (length, at - place)
    return best


def _common(data: bytes, place: int, at: int) -> int:
    """How many bytes from `place` on are those from `at` on, which is behind it; slices compare faster than bytes."""
    length, step = SHORTEST, LONGEST_STEP
    while step:
        end = at + length + step
        if end <= len(data) and data[at + length : end] == data[place + length : place + length + step]:
            length += step
        else:
            step //= 2
    return length


def _unpacked(codes: bytes, offset_nbytes: int) -> bytes:
    """The bytes of all tiles."""
    out, at = bytearray(), 0
    while at < len(codes):
        token = codes[at]
        literals, at = _length(codes, at + 1, token >> 4)
        out += codes[at : at + literals]
        at += literals
        if token & HALF:
            offset = int.from_bytes(codes[at : at + offset_nbytes], "little")
            length, at = _length(codes, at + offset_nbytes, token & HALF)
            for _ in range(length + LESS):
                out.append(out[-offset])
    return bytes(out)


def _length(codes: bytes, at: int, half: int) -> tuple[int, int]:
    """A half of a token with the bytes that continue it, and the place behind these."""
    more = half == HALF
    while more:
        half, more, at = half + codes[at], codes[at] == 255, at + 1
    return half, at
