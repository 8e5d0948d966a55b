"""Sums of products over rows of 16-bit values in pairs: which instruction multiplies which word with which weights.

Values lie side by side as int16, two in a word. A window of K taps that starts at an even place takes pairs of weights
(w0, w1), (w2, w3) ...; one that starts at an odd place takes w0 alone and then (w1, w2), (w3, w4) .... A single tap
finds its weight in one half of a pair that is there anyway. Weights at even and odd places together are K - 1 words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...ir import Array


@dataclass(frozen=True)
class Product:
    """sums[output] += word number `word` of the row times weight word number `weight`.

    `halves`: d for both halves of both words, else which half (b low, t high) of the values, then of the weights.
    `opens`: the output's first product.
    """

    output: int
    word: int
    weight: int
    halves: str
    opens: bool = False


def even_pairs(taps: int, odd_places: bool) -> int:
    """Words (w0, w1), (w2, w3) ...; the last tap of an odd number has its own only if no other word holds it."""
    return taps // 2 + (taps % 2 if taps == 1 or not odd_places else 0)


def weight_words(taps: int, stride: int) -> int:
    """Words per row of weights."""
    odd_places = stride % 2 == 1
    return even_pairs(taps, odd_places) + ((taps - 1) // 2 if odd_places else 0)


def paired(weights: Array, stride: int) -> Array:
    """int16 weights [..., taps] as uint32 words [..., weight_words], as `products` numbers them."""
    taps, odd_places = weights.shape[-1], stride % 2 == 1
    filled = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=-1).astype(np.int16)
    pairs = [filled[..., t : t + 2] for t in range(0, 2 * even_pairs(taps, odd_places), 2)]
    pairs += [filled[..., t : t + 2] for t in range(1, taps - 1, 2) if odd_places]
    halves = np.stack(pairs, axis=-2)
    return np.ascontiguousarray(halves).view(np.uint32)[..., 0]


def tap_pairs(taps: int, stride: int) -> tuple[tuple[int, int | None], ...]:
    """The taps whose weights are in each word; None is no tap."""
    words = paired(np.arange(1, taps + 1, dtype=np.int16), stride).tolist()
    return tuple(((w & 0xFFFF) - 1, (w >> 16) - 1 if w >> 16 else None) for w in words)


def products(outputs: int, taps: int, stride: int) -> tuple[Product, ...]:
    """All products of one row for windows `stride` apart, the first at an even place, in the order of the values."""
    windows = [list(_window(o, o * stride, taps, stride % 2 == 1)) for o in range(outputs)]
    each = (replace(p, opens=k == 0) for window in windows for k, p in enumerate(window))
    return tuple(sorted(each, key=lambda p: (p.word, p.output)))


def words_read(outputs: int, taps: int, stride: int) -> int:
    """Words of a row that `products` reads."""
    return ((outputs - 1) * stride + taps - 1) // 2 + 1


def _window(output: int, start: int, taps: int, odd_places: bool) -> Iterator[Product]:
    even, word = even_pairs(taps, odd_places), start // 2
    if start % 2:
        yield Product(output, word, 0, "tb")
        for k in range((taps - 1) // 2):
            yield Product(output, word + 1 + k, even + k, "d")
        if taps % 2 == 0:
            yield Product(output, word + taps // 2, taps // 2 - 1, "bt")
        return
    for k in range(taps // 2):
        yield Product(output, word + k, k, "d")
    if taps % 2 and even > taps // 2:
        yield Product(output, word + taps // 2, taps // 2, "bb")
    elif taps % 2:
        yield Product(output, word + taps // 2, even + (taps - 3) // 2, "bt")
