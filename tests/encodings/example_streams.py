"""Streams that each encoding can hold."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcucompile.encodings import Encoding, codebook_size, hashed_indices
from mcucompile.ir import Array

SIZES = st.one_of(st.integers(1, 80), st.integers(81, 3000))
RANGES = {"int4": (-8, 7), "int2": (-2, 1), "ternary": (-1, 1)}


@st.composite
def streams(draw: st.DrawFn, encoding: Encoding) -> Array:
    """int8 [count] that fit."""
    size = draw(SIZES)
    if encoding.name in RANGES:
        low, high = RANGES[encoding.name]
        return draw(arrays(np.int8, size, elements=st.integers(low, high)))
    if encoding.name == "binary":
        return 2 * draw(arrays(np.int8, size, elements=st.integers(0, 1))) - 1
    if encoding.name == "codebook":
        return draw(choices(size, 64))
    if encoding.name == "words":
        groups = draw(st.sampled_from((2, 4, 8)))
        dictionary = np.array(
            draw(st.lists(st.lists(BYTES, min_size=groups, max_size=groups), min_size=1, max_size=40))
        )
        picked = np.random.default_rng(draw(SEEDS)).integers(0, len(dictionary), -(-size // groups))
        return dictionary[picked].reshape(-1)[: size // groups * groups or groups].astype(np.int8)
    if encoding.name == "hashed":
        count = codebook_size(size, draw(st.sampled_from((2, 8, 64))))
        codebook = np.random.default_rng(draw(SEEDS)).integers(-128, 128, count, np.int8)
        return codebook[hashed_indices(np.arange(size), count)]
    values = draw(choices(size, 256))
    values[np.random.default_rng(draw(SEEDS)).random(size) < draw(st.sampled_from((0.0, 0.3, 0.8, 0.97, 1.0)))] = 0
    return values


BYTES = st.integers(-128, 127)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def choices(draw: st.DrawFn, size: int, most: int) -> Array:
    """int8 [size] out of at most so many values, some of them rare."""
    values = np.array(draw(st.lists(BYTES, min_size=1, max_size=most, unique=True)), np.int8)
    rarity = draw(st.sampled_from((1, 3, 12)))
    picked = np.random.default_rng(draw(SEEDS)).random(size) ** rarity * values.size
    return values[picked.astype(np.int64)]
