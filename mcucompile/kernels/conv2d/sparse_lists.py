"""Where the weights are that are not zero: lists of distances in bytes, bitmaps, and the storing of equal lists once.

Weights are rows [rows, places, ...]; a place is a tap, or a block of taps that are kept or left out together. Rows with
the same zeros have the same list, so patterns that channels share, by design or by chance, take their room once.

Lists and words of bitmaps end, and loops are entered at a step, whatever flash holds. But unlike the decoders of
mcucompile/encodings, kernels trust where a list begins and how far it skips, as those with plain weights trust their
index: checks would take longer than the products. Where flash is damaged they may read, though not jump, anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...ir import Array, DType, Node

BLOCK = 4  # taps
MOST_SKIPPED = 85  # places: three times that is a byte
MAP_BITS = 31  # places in a word of a bitmap; the last bit marks its end
FEW = 0.6  # of all weights; with more of them, no kernel here pays


def is_sparse(node: Node, encoding: str) -> bool:
    """Whether zeros may pay, or the encoding was asked for by name."""
    weight = node.inputs[1]
    if weight.const is None or weight.dtype is not DType.I8 or weight.encoding not in ("", encoding):
        return False
    return weight.encoding == encoding or int(np.count_nonzero(weight.const)) <= FEW * weight.size


def blocks_of(rows: Array) -> Array:
    """[rows, taps], filled up with zeros, as [rows, blocks, 4]."""
    filled = np.pad(rows, ((0, 0), (0, -rows.shape[1] % BLOCK)))
    return filled.reshape(len(filled), -1, BLOCK)


def used(rows: Array) -> Array:
    """bool [rows, places]: which places have any weight."""
    return np.asarray(rows.reshape(*rows.shape[:2], -1).any(axis=2))


def listed_places(is_kept: Array, most: int = MOST_SKIPPED) -> Array:
    """Of a row, bool [places]: those to list, with so many of the others that none is further than `most` + 1 from the
    one before it. There is at least one.
    """
    kept = np.flatnonzero(is_kept)
    gaps = np.diff(kept, prepend=-1)
    if not len(kept) or gaps.max() <= most + 1:
        return kept if len(kept) else np.zeros(1, np.int64)
    places = [np.arange(place - gap + most + 1, place, most + 1) for place, gap in zip(kept, gaps, strict=True)]
    return np.sort(np.concatenate([kept, *places]))


def skipped(places: Array) -> Array:
    """How many places lie between each of the list and the one before it."""
    return np.diff(places, prepend=-1) - 1


def bitmap(is_kept: Array) -> Array:
    """Of a row, bool [places]: uint32 words of 31 places, the first in the highest bit; the lowest bit is 1."""
    words = np.pad(is_kept, (0, -len(is_kept) % MAP_BITS)).reshape(-1, MAP_BITS).astype(np.uint32)
    shifts = np.arange(MAP_BITS, 0, -1, dtype=np.uint32)
    return np.asarray((words << shifts).sum(axis=1) | 1, np.uint32)


def stored_once(lists: Iterable[bytes]) -> tuple[bytes, list[int]]:
    """All lists one behind another, equal ones only once, and where each begins."""
    stored = bytearray()
    starts: dict[bytes, int] = {}
    found = []
    for entry in lists:
        if entry not in starts:
            starts[entry] = len(stored)
            stored += entry
        found.append(starts[entry])
    return bytes(stored), found
