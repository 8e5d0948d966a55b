"""Few combinations of many choices, among which every pair of values of two choices occurs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

Choices = Mapping[str, Sequence[Any]]
Pair = tuple[tuple[str, int], tuple[str, int]]  # of (choice, index of its value), the choices in their order


def covering(choices: Choices) -> list[dict[str, Any]]:
    """Greedy: each combination starts from a pair that is missing, and takes the values that complete the most others.

    The same in every run. Near the product of the two longest choices, which is the least possible.
    """
    missing = dict.fromkeys(pairs(choices))
    result = []
    while missing:
        taken = dict(next(iter(missing)))
        for name in (n for n in choices if n not in taken):
            gains = [gain(choices, taken, (name, value), missing) for value in range(len(choices[name]))]
            best = [value for value, g in enumerate(gains) if g == max(gains)]
            taken[name] = best[len(result) % len(best)]
        for pair in combinations(((n, taken[n]) for n in choices), 2):
            missing.pop(pair, None)
        result.append({name: choices[name][value] for name, value in taken.items()})
    return result


def pairs(choices: Choices) -> Iterator[Pair]:
    for a, b in combinations(choices, 2):
        for i in range(len(choices[a])):
            for j in range(len(choices[b])):
                yield (a, i), (b, j)


def gain(choices: Choices, taken: Mapping[str, int], value: tuple[str, int], missing: Mapping[Pair, None]) -> int:
    """How many of the missing pairs the value makes with those already taken."""
    order = list(choices)
    sides = (sorted((value, other), key=lambda side: order.index(side[0])) for other in taken.items())
    return sum((first, second) in missing for first, second in sides)
