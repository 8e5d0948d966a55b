"""Decoders of damaged constants end, and stay inside the arrays and the destination: the sanitizers watch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from decoders import NO_SANITIZERS, Call, decoded, has_sanitizers
from example_streams import streams
from hypothesis import given, settings
from hypothesis import strategies as st

from mcucompile.encodings import ALL, BY_NAME, Encoded, Encoding, Layout
from mcucompile.ir import Array

pytestmark = pytest.mark.skipif(not has_sanitizers(), reason=NO_SANITIZERS)
VARIANTS = 12


def flipped(rng: np.random.Generator, values: Array) -> Array:
    """Some bits the other way around."""
    data = bytearray(values.tobytes())
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return np.frombuffer(bytes(data), values.dtype).reshape(values.shape)


def noise(rng: np.random.Generator, values: Array) -> Array:
    return np.frombuffer(rng.bytes(values.nbytes), values.dtype).reshape(values.shape)


def ones(rng: np.random.Generator, values: Array) -> Array:
    """Erased flash."""
    return np.frombuffer(b"\xff" * values.nbytes, values.dtype).reshape(values.shape)


def cut(rng: np.random.Generator, values: Array) -> Array:
    return values[: max(1, int(rng.integers(len(values) + 1)))]


def damaged(rng: np.random.Generator, encoded: Encoded) -> Encoded:
    """Tables keep their lengths, which are powers of two in the program, not in flash."""
    damages = [flipped, noise, ones]
    arrays = [(role, rng.choice(damages)(rng, a) if rng.random() < 0.7 else a) for role, a in encoded.arrays]  # type: ignore[arg-type]
    if rng.random() < 0.3:
        arrays[0] = (arrays[0][0], cut(rng, arrays[0][1]))
    return dataclasses.replace(encoded, arrays=tuple(arrays))


@pytest.mark.parametrize("encoding", ALL, ids=lambda e: e.name)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_damaged_constants_do_no_harm(encoding: Encoding, data: st.DataObject) -> None:
    values = data.draw(streams(encoding))
    tile = data.draw(st.sampled_from((1, 4, 30, 256, 5000)))
    mask = data.draw(st.integers(0, 2))
    encoded = encoding.encode(values, Layout(mask == 1, tile, mask == 2))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    call = Call((tile,) * (-(-values.size // tile)) + (100,))
    outputs = decoded(encoding, [(damaged(rng, encoded), call) for _ in range(VARIANTS)])
    assert [o.size for o in outputs] == [sum(call.counts)] * VARIANTS


@pytest.mark.parametrize("encoding", [e for e in ALL if e.name not in ("huffman", "hashed")], ids=lambda e: e.name)
def test_behind_the_end_are_zeros(encoding: Encoding) -> None:
    values = -np.ones(96, np.int8)
    encoded = encoding.encode(values, Layout(tile=96))
    (got,) = decoded(encoding, [(encoded, Call((96, 160)))])
    assert (got[:96] == -1).all()
    assert not got[96 + 64 :].any()


def test_a_table_that_is_too_short_yields_zeros() -> None:
    for name in ("codebook", "words"):
        encoded = BY_NAME[name].encode(np.arange(128, dtype=np.int8) // 8)
        (codes, (role, table)) = encoded.arrays
        short = dataclasses.replace(encoded, arrays=(codes, (role, table[:-1])))
        (got,) = decoded(BY_NAME[name], [(short, Call((128,)))])
        assert not got.any()
