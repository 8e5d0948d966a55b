"""k-means of short vectors of integer weights, and their assignment with compensation."""

from __future__ import annotations

import numpy as np

from ....ir import Array
from ..hessian import Reals
from ..low_bits import inverse_factor
from .integer_layer import LIMIT, IntegerLayer
from .tied import Tied, fitted

ITERATIONS, SEED, CHUNK = 20, 0, 1 << 14
SAMPLES = 20_000  # vectors on which k-means runs


def shared_vectors(layer: IntegerLayer, count: int, size: int, hessian: bool) -> tuple[Reals, int]:
    """The codes of a layer of one group, and how many vectors they consist of."""
    vectors = layer.codes.reshape(-1, size)
    importance = layer.importance(hessian).reshape(-1, size)
    book = kmeans(vectors, importance, count)
    if layer.moments is None or not hessian:
        return book[nearest(vectors, importance, book)].reshape(layer.codes.shape), len(book)
    target = layer.target
    plain = nearest(vectors, importance, book)
    candidates = [improved(layer, target, book, index) for index in (plain, swept(layer, target, book))]
    return min(candidates, key=lambda codes: layer.error(codes, target)), len(book)


def improved(layer: IntegerLayer, target: Reals, book: Array, index: Array) -> Reals:
    """The dictionary of least output error for these choices."""
    size = book.shape[1]
    tied = Tied((index[:, None] * size + np.arange(size)).reshape(layer.codes.shape), np.ones(layer.codes.shape))
    return tied.codes(fitted(layer, tied, target, book.ravel()))


def kmeans(vectors: Array, importance: Array, count: int) -> Array:
    """At most `count` integer vectors [count, size]; Lloyd's iteration from a start as k-means++ makes it."""
    rng = np.random.default_rng(SEED)
    if len(vectors) > SAMPLES:
        chosen = rng.choice(len(vectors), SAMPLES, replace=False)
        vectors, importance = vectors[chosen], importance[chosen]
    book = spread_start(vectors, importance, count, rng)
    for _ in range(ITERATIONS):
        owner = nearest(vectors, importance, book)
        mass, sums = (gathered(v, owner, len(book)) for v in (importance, importance * vectors))
        book = np.where(mass > 0, sums / np.where(mass > 0, mass, 1.0), book)
    return np.unique(np.clip(np.rint(book), -LIMIT, LIMIT), axis=0)


def gathered(rows: Array, owner: Array, count: int) -> Array:
    """The sum of the rows of each owner."""
    return np.stack([np.bincount(owner, column, count) for column in rows.T], axis=1)


def spread_start(vectors: Array, importance: Array, count: int, rng: np.random.Generator) -> Array:
    """Vectors drawn with a probability proportional to their squared distance from those drawn before."""
    book = [vectors[rng.integers(len(vectors))]]
    distance = (importance * np.square(vectors - book[0])).sum(axis=1)
    while len(book) < count and distance.sum() > 0:
        book.append(vectors[rng.choice(len(vectors), p=distance / distance.sum())])
        distance = np.minimum(distance, (importance * np.square(vectors - book[-1])).sum(axis=1))
    return np.array(book, np.float64)


def nearest(vectors: Array, importance: Array, book: Array) -> Array:
    """The number of the vector of least weighted squared error, for each."""
    found = [
        np.argmin(w @ np.square(book).T - 2 * (w * v) @ book.T, axis=1)
        for v, w in zip(chunks(vectors), chunks(importance), strict=True)
    ]
    return np.concatenate(found)


def chunks(rows: Array) -> list[Array]:
    return [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]


def swept(layer: IntegerLayer, target: Reals, book: Array) -> Array:
    """The number of the vector for each block, such that later inputs make up for the error of earlier ones.

    The loss of a block's error e is |e T|^2, T the inverse of its triangle in the factor of the inverse Hessian.
    """
    factor, size = inverse_factor(layer.hessian)[0], book.shape[1]
    rest = target[0].copy()  # in codes: one scale per output changes no choice
    index = np.zeros((len(rest), rest.shape[1] // size), np.int64)
    for b in range(index.shape[1]):
        at = slice(b * size, (b + 1) * size)
        inverse = np.linalg.inv(factor[at, at])
        seen, known = rest[:, at] @ inverse, book @ inverse
        index[:, b] = np.argmin(np.square(known).sum(axis=1) - 2 * seen @ known.T, axis=1)
        error = (rest[:, at] - book[index[:, b]]) @ inverse
        rest[:, at.stop :] -= error @ factor[at, at.stop :]
    return index.ravel()
