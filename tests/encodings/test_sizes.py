"""What encodings take, against counts by other means: by hand, by the entropy, by a heap, by zlib."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.encodings import BY_NAME, Layout
from mcucompile.encodings.prefix_code import best_code, canonical_codes, code_lengths
from mcucompile.ir import Array

COUNTS = st.lists(st.integers(1, 1000), min_size=2, max_size=60)


def entropy_bits(values: Array) -> float:
    """Of all values together."""
    counts = np.unique(values, return_counts=True)[1]
    return float((counts * np.log2(values.size / counts)).sum())


def huffman_bits(counts: list[int]) -> int:
    """The bits that the symbols take in a code of any lengths: every merge costs a bit of each symbol in it."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@pytest.mark.parametrize(
    ("name", "values", "nbytes"),
    [
        ("int4", [-8, 7] * 500, 500),
        ("int4", [1] * 1001, 504),  # groups of 8 are 4 bytes
        ("int2", [-2, 1] * 500, 252),  # of 16
        ("ternary", [-1, 0, 1, 1] * 250, 200),  # of 20
        ("binary", [-1, 1] * 500, 128),  # of 32
        ("codebook", [50, -50] * 500, 125 + 2),
        ("codebook", list(range(20)) * 50, 625 + 32),
        ("words", [1, 2, 3, 4] * 250, 16 + 2 * 8),  # 125 groups of 8: the same one, and one that is not used
        ("words", [*[1, 2, 3, 4] * 50, *[5, 6, 7, 8] * 51], 13 + 2 * 4),  # 101 groups of 4
    ],
)
def test_by_hand(name: str, values: list[int], nbytes: int) -> None:
    encoded = BY_NAME[name].encode(np.array(values, np.int8))
    assert encoded.nbytes == sum(values.nbytes for _, values in encoded.arrays)
    assert encoded.nbytes == nbytes


@given(COUNTS)
def test_lengths_without_a_limit_are_optimal(counts: list[int]) -> None:
    lengths = code_lengths(np.array(counts), 40 if len(counts) < 40 else len(counts))
    assert int((lengths * counts).sum()) == huffman_bits(counts)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(3, 4))
def test_limited_lengths_are_optimal(counts: list[int], limit: int) -> None:
    """Of all lengths that leave room for each other (Kraft)."""
    room = (ls for ls in product(range(1, limit + 1), repeat=len(counts)) if sum(2.0**-n for n in ls) <= 1)
    best = min(sum(n * c for n, c in zip(ls, counts, strict=True)) for ls in room)
    lengths = code_lengths(np.array(counts), limit)
    assert lengths.max() <= limit
    assert int((lengths * counts).sum()) == best


@given(COUNTS, st.integers(6, 12))
def test_codes_are_canonical_and_none_begins_another(counts: list[int], limit: int) -> None:
    lengths = code_lengths(np.array(counts), limit)
    texts = [f"{c:0{n}b}"[::-1] for c, n in zip(canonical_codes(lengths).tolist(), lengths.tolist(), strict=True)]
    assert sum(2.0**-n for n in lengths.tolist()) == 1
    for a, b in product(range(len(texts)), repeat=2):
        assert a == b or not texts[a].startswith(texts[b])
        if (lengths[a], a) < (lengths[b], b):
            assert texts[a] < texts[b]


@given(COUNTS)
def test_a_table_finds_every_symbol(counts: list[int]) -> None:
    code = best_code(np.array(counts))
    assert code.table.size == 1 << code.bits
    for index, entry in enumerate(code.table.tolist()):
        symbol, length = entry & 255, entry >> 8
        assert length == code.lengths[symbol]
        assert index & ((1 << length) - 1) == code.codes[symbol]


def clustered(count: int, density: float, clusters: int, seed: int = 0) -> Array:
    """Pruned weights, each one of some values, those near zero more often."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.round(rng.normal(0, clusters / 5, count)), -clusters // 2, clusters // 2) * (100 // clusters)
    values[values == 0] = 100 // clusters
    return np.where(rng.random(count) < density, values, 0).astype(np.int8)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("clusters", [4, 16, 64])
def test_huffman_is_near_the_entropy(density: float, clusters: int) -> None:
    values = clustered(100_000, density, clusters)
    least = entropy_bits(values) / 8
    nbytes = BY_NAME["huffman"].encode(values).nbytes
    if density == 1.0:  # no runs: a whole number of bits for each value
        assert least <= nbytes <= 1.01 * huffman_bits(np.unique(values, return_counts=True)[1].tolist()) / 8 + 600
    else:
        assert least <= nbytes <= 1.07 * least + 600


def test_of_several_codecs_each_is_best_at_something() -> None:
    rng = np.random.default_rng(3)
    repeated = rng.integers(-128, 128, 600).astype(np.int8)[np.arange(12_000) % 600]
    streams = {
        "int4": rng.integers(-8, 8, 12_000).astype(np.int8),
        "ternary": rng.integers(-1, 2, 12_000).astype(np.int8),
        "codebook": (rng.integers(0, 8, 12_000) * 17 - 60).astype(np.int8),
        "words": rng.integers(-128, 128, (16, 4)).astype(np.int8)[rng.integers(0, 16, 3000)].reshape(-1),
        "huffman": clustered(12_000, 0.1, 16),
        "lossless": repeated,
    }
    for best, values in streams.items():
        sizes = {n: e.encode(values, Layout(tile=12_000)).nbytes for n, e in BY_NAME.items() if e.fits(values)}
        assert min(sizes, key=lambda n: sizes[n]) == best, sizes


def test_lossless_is_tried_only_where_nothing_faster_is() -> None:
    """Very sparse weights repeat themselves too, but codes of gaps and values are smaller."""
    sparse, phrase = clustered(12_000, 0.02, 16), np.random.default_rng(3).integers(-128, 128, 200).astype(np.int8)
    assert [BY_NAME[n].pays(sparse) for n in ("huffman", "lossless")] == [True, False]
    assert [BY_NAME[n].pays(np.tile(phrase, 60)) for n in ("huffman", "lossless")] == [False, True]


def test_lossless_by_hand() -> None:
    encoding = BY_NAME["lossless"]
    values = np.array([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 2], np.int8)
    # A literal and a copy of 9 from 1 back; two literals.
    encoded = encoding.encode(values, Layout(tile=12))
    assert encoded.arrays[0][1].tolist() == [0x17, 7, 1, 0x20, 1, 2]
    # 300 bytes: a literal, and a copy of 299, which are 15 and 282 more than 2; these are 255 and 27.
    encoded = encoding.encode(np.zeros(300, np.int8), Layout(tile=300))
    assert encoded.arrays[0][1].tolist() == [0x1F, 0, 1, 255, 27]


@pytest.mark.parametrize("seed", range(4))
def test_lossless_is_not_far_from_zlib(seed: int) -> None:
    rng = np.random.default_rng(seed)
    phrases = [rng.integers(-128, 128, n).astype(np.int8) for n in rng.integers(4, 40, 30)]
    values = np.concatenate([phrases[k] for k in rng.integers(0, len(phrases), 400)])
    nbytes = BY_NAME["lossless"].encode(values, Layout(tile=values.size)).nbytes
    assert nbytes <= 1.5 * len(zlib.compress(values.tobytes(), 9))


def test_a_pruned_layer_with_16_values_takes_a_twentieth(shared_model: Callable[[str], Path]) -> None:
    """Of a real layer's float32: 80 % of its weights are zeros, the others one of 14 values."""
    model = onnx.load(shared_model("trained_lenet300_100"))
    weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]
    largest = max(weights, key=lambda w: w.size).reshape(-1)
    kept = np.abs(largest) > np.quantile(np.abs(largest), 0.8)
    steps = np.clip(np.round(largest / np.abs(largest).max() * 7), -7, 7).astype(np.int8)
    values = np.where(kept, np.where(steps == 0, np.sign(largest), steps) * 18, 0).astype(np.int8)
    encoded = BY_NAME["huffman"].encode(values)
    assert encoded.nbytes <= largest.nbytes / 20
    assert encoded.nbytes <= 1.05 * entropy_bits(values) / 8
