"""What an encoding holds comes back, from numpy and from C, however the stream is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from decoders import NO_SANITIZERS, Call, decoded, has_sanitizers
from example_streams import streams
from hypothesis import given, settings
from hypothesis import strategies as st

from mcucompile.encodings import ALL, BY_NAME, Encoding, Layout, masked

IN_C = pytest.mark.skipif(not has_sanitizers(), reason=NO_SANITIZERS)
LAYOUTS = st.builds(
    lambda mask, tile: Layout(mask == "mirrored", tile, mask == "shifted"),
    st.sampled_from(("plain", "mirrored", "shifted")),
    st.integers(0, 1000),
)
# Those whose calls may be of any counts, instead of the layout's tile.
RESUMABLE = [encoding for encoding in ALL if encoding.name != "lossless"]


@pytest.mark.parametrize("encoding", ALL, ids=lambda e: e.name)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_numpy_gives_back_what_was_encoded(encoding: Encoding, data: st.DataObject) -> None:
    values = data.draw(streams(encoding))
    layout = data.draw(LAYOUTS)
    assert encoding.fits(values)
    encoded = encoding.encode(values, layout)
    assert encoded.count == values.size
    assert all(a.flags.c_contiguous and a.size for _, a in encoded.arrays)
    np.testing.assert_array_equal(encoding.decode(encoded), masked(values, layout.mask))


@IN_C
@pytest.mark.parametrize("encoding", RESUMABLE, ids=lambda e: e.name)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_c_gives_back_what_was_encoded(encoding: Encoding, data: st.DataObject) -> None:
    values = data.draw(streams(encoding))
    encoded = encoding.encode(values, data.draw(LAYOUTS))
    cuts = sorted(data.draw(st.lists(st.integers(0, values.size), max_size=8)))
    counts = np.diff([0, *cuts, values.size]).tolist()
    calls = [Call((values.size,)), Call(tuple(counts)), Call(tuple(counts), data.draw(st.integers(1, 3)))]
    for got in decoded(encoding, [(encoded, call) for call in calls]):
        np.testing.assert_array_equal(got, encoding.decode(encoded))


@IN_C
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_lossless_gives_back_every_tile(data: st.DataObject) -> None:
    encoding = BY_NAME["lossless"]
    values, tile = data.draw(streams(encoding)), data.draw(st.sampled_from((1, 7, 48, 300, 3000)))
    encoded = encoding.encode(values, replace(data.draw(LAYOUTS), tile=tile))
    counts = [tile] * (values.size // tile) + [values.size % tile]
    (got,) = decoded(encoding, [(encoded, Call(tuple(counts)))])
    np.testing.assert_array_equal(got, encoding.decode(encoded))


def test_masks_are_those_of_words() -> None:
    values = np.array([0, 1, -1, 127, -128, 5], np.int8)
    np.testing.assert_array_equal(masked(values, Layout(mirrored=True).mask), [-128, 1, 127, 127, 0, 5])
    np.testing.assert_array_equal(masked(values, Layout(shifted=True).mask), [-128, -127, 127, -1, 0, -123])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("int4", [-9]),
        ("int4", [8]),
        ("int2", [-3]),
        ("int2", [2]),
        ("ternary", [-2]),
        ("ternary", [2]),
        ("binary", [0]),
        ("binary", [3]),
        ("codebook", list(range(65))),
        ("words", np.random.default_rng(0).integers(-128, 128, 1 << 12).tolist()),
    ],
)
def test_what_does_not_fit(name: str, values: list[int]) -> None:
    encoding = BY_NAME[name]
    assert not encoding.fits(np.array(values, np.int8))
    assert not encoding.pays(np.array(values * 300, np.int8))


def test_ordinary_weights_are_not_looked_at() -> None:
    """Bell-shaped weights of 8 bits, some of whose channels are small."""
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 1, (64, 576)) * rng.choice((1.0, 0.3), (64, 1))
    quantized = np.round(weights / np.abs(weights).max(axis=1, keepdims=True) * 127).astype(np.int8)
    for encoding in ALL:
        assert not encoding.pays(quantized.reshape(-1)), encoding.name


def test_small_constants_are_not_looked_at() -> None:
    for encoding in ALL:
        assert not encoding.pays(np.ones(100, np.int8)), encoding.name
