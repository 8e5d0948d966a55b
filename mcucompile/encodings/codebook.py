"""At most 64 different values: a codebook, and an index of 1 to 6 bits for each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .encoding import LEAST_SAVED, PLAIN, SHIFTED, Encoded, Encoding, Layout, Params, masked
from .indices import index_bits, packed_indices, packed_nbytes, unpacked_indices
from .pace import PACES, Pace

MOST_BITS = 6
MOST_BITS_UNASKED = 5
_SAMPLE = 512


@dataclass(frozen=True)
class CodebookParams(Params):
    """`bits` of an index; the codebook has 2^bits values."""

    bits: int


@dataclass(frozen=True)
class Codebook(Encoding):
    """The codebook is padded with zeros, so that every index is inside."""

    template: ClassVar[str] = "encodings/codebook.c.j2"
    faster: ClassVar[Mapping[str, str]] = {"MVE": "encodings/codebook.mve.c.j2"}

    @property
    def name(self) -> str:
        return "codebook"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        return np.unique(values).size <= 1 << MOST_BITS

    def pays(self, values: Array) -> bool:
        if np.unique(values[:_SAMPLE]).size > 1 << MOST_BITS_UNASKED:
            return False
        bits = index_bits(np.unique(values).size)
        saved = values.size - packed_nbytes(values.size, bits) - (1 << bits)
        return bits <= MOST_BITS_UNASKED and saved >= LEAST_SAVED

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        assert self.fits(values), "more values than a codebook has"
        found, indices = np.unique(values, return_inverse=True)
        bits = index_bits(found.size)
        codebook = np.pad(found.astype(np.int8), (0, (1 << bits) - found.size))
        codebook = masked(codebook, SHIFTED if layout.shifted else 0).view(np.uint8)
        arrays = (("codes", packed_indices(indices.reshape(-1), bits)), ("codebook", codebook))
        return Encoded(arrays, CodebookParams(0 if layout.shifted else layout.mask, bits), values.size)

    def decode(self, encoded: Encoded) -> Array:
        (_, codes), (_, codebook) = encoded.arrays
        indices = unpacked_indices(codes, codes.shape[1])[: encoded.count]
        return masked(codebook.view(np.int8)[indices], encoded.params.mask)

    def pace(self, params: Params) -> Pace:
        assert isinstance(params, CodebookParams)
        return PACES["codebook of 2 or 4 bits" if params.bits in (2, 4) else "codebook"]
