"""Hashed weights: places in the order in which a kernel reads."""

from __future__ import annotations

import numpy as np
import pytest
from decoders import NO_SANITIZERS, Call, decoded, has_sanitizers

from mcucompile.encodings import BY_NAME, Layout, codebook_size, hashed_indices, walk_of
from mcucompile.encodings.hashed import places_of

HASHED = BY_NAME["hashed"]
OUTPUTS, INPUTS = 12, 40
# What kernels do with [outputs, inputs].
ORDERS = {
    "as it is": lambda w: w,
    "transposed": lambda w: w.T,
    "words of four outputs": lambda w: w.reshape(3, 4, 10, 4).transpose(0, 2, 1, 3),
    "pairs backwards": lambda w: w.reshape(6, 2, 40)[::1].transpose(0, 2, 1),
}


def test_the_hash_by_hand() -> None:
    """Place 5 of 100 values: 5 * 0x9E3779B1 = 0x17160A2575; without what is above 32 bits, and so on."""
    mixed = 5 * 0x9E3779B1 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
    assert hashed_indices(np.array([5]), 100).tolist() == [(mixed >> 16) * 100 >> 16]


def test_the_hash_uses_all_values_evenly() -> None:
    counts = np.bincount(hashed_indices(np.arange(64_000), 1000), minlength=1000)
    assert counts.min() > 20
    assert counts.max() < 130


@pytest.mark.parametrize("order", ORDERS)
def test_walks_of_kernels(order: str) -> None:
    places = ORDERS[order](np.arange(OUTPUTS * INPUTS).reshape(OUTPUTS, INPUTS)).reshape(-1)
    walk = walk_of(places)
    assert walk is not None
    np.testing.assert_array_equal(places_of(walk, places.size), places)


def test_what_is_no_walk() -> None:
    assert walk_of(np.array([1, 2, 3])) is None  # begins elsewhere
    assert walk_of(np.array([0, 1, 2, 4, 5])) is None
    assert walk_of(np.random.default_rng(0).permutation(100)) is None


@pytest.mark.skipif(not has_sanitizers(), reason=NO_SANITIZERS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mask", ["plain", "mirrored", "shifted"])
def test_streams_of_kernels(order: str, mask: str) -> None:
    count = OUTPUTS * INPUTS
    codebook = np.random.default_rng(1).integers(-128, 128, codebook_size(count, 8)).astype(np.int8)
    weights = codebook[hashed_indices(np.arange(count), codebook.size)].reshape(OUTPUTS, INPUTS)
    stream = np.ascontiguousarray(ORDERS[order](weights)).reshape(-1)
    walk = walk_of(ORDERS[order](np.arange(count).reshape(OUTPUTS, INPUTS)).reshape(-1))
    assert walk is not None
    layout = Layout(mask == "mirrored", 0, mask == "shifted", walk)
    assert HASHED.fits(stream, layout)
    encoded = HASHED.encode(stream, layout)
    assert encoded.nbytes == count // 8 + 8 * len(walk)
    for counts in ((count,), (1, 2, 30, 447)):
        (got,) = decoded(HASHED, [(encoded, Call(counts))])
        np.testing.assert_array_equal(got, HASHED.decode(encoded))


def test_what_is_not_hashed() -> None:
    assert not HASHED.fits(np.random.default_rng(0).integers(-128, 128, 1000).astype(np.int8))
    assert not HASHED.fits(np.zeros(10, np.int8), Layout(walk=((3, 1),)))  # another size
