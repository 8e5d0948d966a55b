"""Where the weights are in a kernel's constants: so that they can be kept in another form and unpacked before use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ir import Array

WORD = 4


@dataclass(frozen=True)
class Stream:
    """A kernel's first constant: `raw[0]` words of other things, `runs[0]` int8 weights, `raw[1]` words and so on, and
    `raw[-1]` words behind the last weights. Every run is filled up with zeros to whole words. As stored, the words of
    a run are XORed with `mask`.
    """

    raw: tuple[int, ...]
    runs: tuple[int, ...]
    mask: int = 0

    def __post_init__(self) -> None:
        assert len(self.raw) == len(self.runs) + 1, self

    @property
    def is_uniform(self) -> bool:
        """Whether all runs have the same length, and the same number of words between them."""
        return len({*self.raw[1:-1]}) <= 1 and len({*self.runs}) == 1

    @property
    def nbytes(self) -> int:
        return WORD * (sum(self.raw) + sum(map(words, self.runs)))

    def split(self, packed: Array) -> tuple[Array, Array]:
        """(int32 words that are no weights, int8 weights in the order of reading)."""
        data = np.ascontiguousarray(packed).reshape(-1).view(np.uint8)
        data = np.pad(data, (0, -len(data) % WORD)).view(np.uint32)
        assert len(data) * WORD == self.nbytes, f"{len(data)} words are no {self}"
        raw, weights, at = [], [], 0
        for before, run in zip(self.raw, (*self.runs, 0), strict=True):
            inside = data[at + before : at + before + words(run)] ^ np.uint32(self.mask)
            raw.append(data[at : at + before].view(np.int32))
            weights.append(inside.view(np.int8)[:run])
            at += before + words(run)
        return np.concatenate(raw), np.concatenate(weights)


def words(nbytes: int) -> int:
    return -(-nbytes // WORD)


def whole(packed: Array, mask: int = 0) -> Stream:
    """Of a constant that is nothing but weights."""
    return Stream((0, 0), (packed.nbytes,), mask)


def blocks(
    count: int, head: int, weights: int, tail: int = 0, prefix: int = 0, suffix: int = 0, mask: int = 0
) -> Stream:
    """`count` times `head` words, `weights` and `tail` words, between `prefix` and `suffix` words."""
    return Stream((prefix + head, *[tail + head] * (count - 1), tail + suffix), (weights,) * count, mask)


def joined(streams: Sequence[Stream]) -> Stream:
    """One behind the other."""
    raw = list(streams[0].raw)
    for stream in streams[1:]:
        raw[-1] += stream.raw[0]
        raw += stream.raw[1:]
    return Stream(tuple(raw), tuple(n for s in streams for n in s.runs), streams[0].mask)
