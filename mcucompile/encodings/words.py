"""Few different groups of 2, 4 or 8 values: a dictionary of them, and an index of 1 to 8 bits for each group.

Where a kernel keeps consecutive inputs of an output together, this is what product quantization leaves to store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import Array
from .encoding import LEAST_SAVED, PLAIN, Encoded, Encoding, Layout, Params, masked
from .indices import index_bits, packed_indices, packed_nbytes, unpacked_indices
from .pace import PACES, Pace

SIZES = (4, 8, 2)
MOST_BITS = 8
_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}
_SAMPLE = 512  # groups


@dataclass(frozen=True)
class WordsParams(Params):
    """`size`: values of a group; `bits` of an index; the dictionary has 2^bits groups."""

    size: int
    bits: int


@dataclass(frozen=True)
class Words(Encoding):
    """The dictionary holds what the kernel reads; it is padded with zeros, so that every index is inside."""

    template: ClassVar[str] = "encodings/words.c.j2"
    faster: ClassVar[Mapping[str, str]] = {"MVE": "encodings/words.mve.c.j2"}

    @property
    def name(self) -> str:
        return "words"

    def fits(self, values: Array, layout: Layout = PLAIN) -> bool:
        return _best_size(values) is not None

    def pays(self, values: Array) -> bool:
        size = _best_size(values)
        return size is not None and values.size - _nbytes(values, size) >= LEAST_SAVED

    def encode(self, values: Array, layout: Layout = PLAIN) -> Encoded:
        size = _best_size(values)
        assert size, "more groups than a dictionary has"
        found, indices = np.unique(_groups(values, size), return_inverse=True)
        bits = index_bits(found.size)
        dictionary = masked(np.pad(found, (0, (1 << bits) - found.size)).view(np.int8), layout.mask)
        dictionary = dictionary.view(_INTEGERS[min(size, 4)]).reshape(-1, max(1, size // 4)).squeeze()
        arrays = (("codes", packed_indices(indices.reshape(-1), bits)), ("dictionary", dictionary))
        return Encoded(arrays, WordsParams(0, size, bits), values.size)

    def decode(self, encoded: Encoded) -> Array:
        (_, codes), (_, dictionary) = encoded.arrays
        indices = unpacked_indices(codes, codes.shape[1])
        values: Array = dictionary[indices].reshape(-1).view(np.int8)[: encoded.count]
        return values

    def pace(self, params: Params) -> Pace:
        assert isinstance(params, WordsParams)
        return PACES[f"words of {params.size}" + (" by bytes" if params.bits == MOST_BITS else "")]


def _groups(values: Array, size: int) -> Array:
    """Consecutive values as integers [groups], padded with zeros."""
    padded = np.pad(np.asarray(values, np.int8), (0, -values.size % size))
    return padded.view(_INTEGERS[size])


def _best_size(values: Array) -> int | None:
    """The size of group that takes the least flash, of those whose dictionary is small enough."""
    fitting = [size for size in SIZES if _is_small(values, size)]
    return min(fitting, key=lambda size: _nbytes(values, size), default=None)


def _is_small(values: Array, size: int) -> bool:
    groups = _groups(values, size)
    most = 1 << MOST_BITS
    return np.unique(groups[:_SAMPLE]).size <= most and np.unique(groups).size <= most


def _nbytes(values: Array, size: int) -> int:
    bits = index_bits(np.unique(_groups(values, size)).size)
    return packed_nbytes(-(-values.size // size), bits) + size * (1 << bits)
