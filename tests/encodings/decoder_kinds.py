"""Streams for every decoder that there is."""

from __future__ import annotations

import numpy as np
from board_decoders import Stream

from mcucompile.encodings import ALL, Layout, hashed_indices, walk_of
from mcucompile.ir import Array

COUNT = 6000
TILE = 900  # no whole number of most groups
# Words of four inputs of each of four outputs, of a layer of 15 groups of 4 outputs with 100 inputs.
PLACES = np.arange(COUNT).reshape(15, 4, 25, 4).transpose(0, 2, 1, 3).reshape(-1)


def values_of(name: str) -> Array:
    """Values that use all that the encoding can hold, or what compression leaves."""
    rng = np.random.default_rng(len(name))
    if name in ("int4", "int2", "ternary"):
        low, high = {"int4": (-8, 8), "int2": (-2, 2), "ternary": (-1, 2)}[name]
        return rng.integers(low, high, COUNT, np.int8)
    if name == "binary":
        return 2 * rng.integers(0, 2, COUNT, np.int8) - 1
    if name == "codebook":
        return rng.permutation(np.arange(-128, 128))[rng.integers(0, 16, COUNT)].astype(np.int8)
    if name == "words":
        return rng.integers(-128, 128, (256, 4), np.int8)[rng.integers(0, 256, COUNT // 4)].reshape(-1)
    if name == "hashed":
        return rng.integers(-128, 128, COUNT // 8, np.int8)[hashed_indices(PLACES, COUNT // 8)]
    clusters = np.round(rng.normal(0, 5, COUNT)).astype(np.int8) * 7
    return np.where(rng.random(COUNT) < 0.8, 0, clusters).astype(np.int8)


def every_decoder() -> list[Stream]:
    """A stream for each set of parameters of each encoding, in tiles that are no whole groups."""
    walk = walk_of(PLACES)
    assert walk
    found = {}
    for encoding in ALL:
        for values in (values_of(encoding.name), *variants(encoding.name)):
            for mirrored, shifted in ((False, False), (True, False), (False, True)):
                layout = Layout(mirrored, TILE, shifted, walk if encoding.needs_walk else ())
                encoded = encoding.encode(values, layout)
                found[encoding.template, encoded.params] = Stream(encoding, encoded, TILE)
    return list(found.values())


def variants(name: str) -> list[Array]:
    """Values for other parameters than `values_of` has."""
    rng = np.random.default_rng(0)
    if name == "codebook":
        return [rng.integers(0, 1 << bits, 2000, np.int8) for bits in (1, 2, 3, 5, 6)]
    if name == "words":
        sizes = [(size, bits) for size in (2, 4, 8) for bits in range(1, 9)]
        dictionaries = [rng.integers(-128, 128, (1 << bits, size), np.int8) for size, bits in sizes]
        return [d[rng.integers(0, len(d), 5000 // d.shape[1])].reshape(-1) for d in dictionaries]
    if name == "huffman":
        return [rng.normal(0, 9, 2000).astype(np.int8)]
    if name == "lossless":  # copies from farther than a byte tells
        return [rng.integers(-128, 128, 400, np.int8)[np.arange(2000) % 400]]
    return []
