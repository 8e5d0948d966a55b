"""Counting the bits of many words at once, on cores that have no instruction for it (Harley and Seal).

A full adder takes three words of equal weight, bit by bit, to one of the same weight and one of twice that, in five
operations. What no three words are left of is counted in fields: of two bits, of four, of eight.

The words are differences d = x ^ w. The first adders, of d0, d1 and d2, take only four operations, because

    u = d0 ^ d1,  v = d1 ^ d2,  b = d1:   sum = u ^ v ^ b,  carry = b ^ (u & v)

and u, v and b are differences too, of words that are made beforehand: (x0 ^ x1) ^ (w0 ^ w1) and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST_WORDS = 30  # of a block: the sum of a byte's counts is up to 8 for each word
NIBBLE = 15
NIBBLE_OPERATIONS, BYTE_OPERATIONS, LOOP = 5, 3, 4


@dataclass(frozen=True)
class Adder:
    """One full adder. A `first` one has the differences of words `index`, +1 and +2, in the form above, as inputs."""

    total: str
    carry: str
    inputs: tuple[str, ...]
    index: int = 0

    @property
    def is_first(self) -> bool:
        return not self.inputs


@dataclass(frozen=True)
class Fields:
    """Words counted in fields of four bits: `terms` are (word, shift to the left); all of it counts 2**shift-fold."""

    terms: tuple[tuple[str, int], ...]
    shift: int


@dataclass(frozen=True)
class Count:
    """How the bits of `words` words are counted; `alone` are the last words, for which no adder is left."""

    words: int
    adders: tuple[Adder, ...]
    alone: tuple[int, ...]
    fields: tuple[Fields, ...]

    @property
    def operations(self) -> int:
        """Of a three-operand instruction set, without loads."""
        adders = sum(7 if a.is_first else 5 for a in self.adders)
        terms = sum(len(f.terms) for f in self.fields)
        joins = terms - 1
        return adders + len(self.alone) + terms * NIBBLE_OPERATIONS + joins + len(self.fields) * BYTE_OPERATIONS + 1


def count(words: int) -> Count:
    """An order in which few words are alive at a time."""
    assert 0 < words <= MOST_WORDS
    adders: list[Adder] = []
    pending: dict[int, list[str]] = {}
    for index in range(0, words - words % 3, 3):
        number = len(adders)
        adders.append(Adder(f"s{number}", f"c{number}", (), index))
        put(adders, pending, 0, f"s{number}")
        put(adders, pending, 1, f"c{number}")
    alone = tuple(range(words - words % 3, words))
    for index in alone:
        put(adders, pending, 0, f"d{index}")
    return Count(words, tuple(adders), alone, tuple(groups(pending)))


def put(adders: list[Adder], pending: dict[int, list[str]], level: int, word: str) -> None:
    """Another word of weight 2**level; three of them become two."""
    pending.setdefault(level, []).append(word)
    if len(pending[level]) < 3:
        return
    number = len(adders)
    adders.append(Adder(f"s{number}", f"c{number}", tuple(pending[level])))
    pending[level] = [f"s{number}"]
    put(adders, pending, level + 1, f"c{number}")


def groups(pending: dict[int, list[str]]) -> Iterator[Fields]:
    """What is left, joined as far as fields of four bits hold the sum."""
    left = [(word, level) for level in sorted(pending) for word in pending[level]]
    while left:
        base, reach, taken = left[0][1], 0, []
        for word, level in left:
            if reach + (4 << (level - base)) <= NIBBLE:
                reach += 4 << (level - base)
                taken.append((word, level))
        left = [entry for entry in left if entry not in taken]
        yield Fields(tuple((word, level - base) for word, level in taken), base)


@dataclass(frozen=True)
class Blocks:
    """`trips` times a block, then once the `rest`, None where nothing is left."""

    block: Count
    trips: int
    rest: Count | None

    @property
    def words(self) -> int:
        return self.trips * self.block.words + (self.rest.words if self.rest else 0)

    @property
    def operations(self) -> int:
        """Of one output, loads included: a word of signs and one of weights for each word, in pairs."""
        counts = self.trips * self.block.operations + (self.rest.operations if self.rest else 0)
        return counts + self.words + self.words // 2 + (LOOP * self.trips if self.trips > 1 else 0)

    @property
    def code(self) -> int:
        """Operations that are written out."""
        rest = self.rest.operations + self.rest.words if self.rest else 0
        return self.block.operations + self.block.words + rest


def blocks(words: int) -> Blocks:
    """The least work among those whose code is no longer than that of MOST_WORDS words."""
    choices = [split(words, size) for size in range(3, MOST_WORDS + 1, 3) if size <= words]
    if words <= MOST_WORDS:
        choices.append(split(words, words))
    limit = count(MOST_WORDS).operations + MOST_WORDS
    return min((c for c in choices if c.code <= limit), key=lambda c: (c.operations, c.code))


def split(words: int, size: int) -> Blocks:
    rest = words % size
    return Blocks(count(size), words // size, count(rest) if rest else None)
