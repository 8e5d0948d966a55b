"""Weights tied by a hash of their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from integer_networks import applied, conv_network, dense_network, noise, weights
from needs import needs_emulator

import mcucompile
from mcucompile.data import Samples
from mcucompile.encodings import BY_NAME, codebook_size, hashed_indices
from mcucompile.errors import CompileError
from mcucompile.passes.compress.hash_weights import HashWeights

MODEL = Path(__file__).parents[2] / "models" / "classifier.onnx"


@pytest.mark.parametrize("samples", [True, False])
@pytest.mark.parametrize("ratio", [2, 8])
def test_the_encoding_takes_the_weights(ratio: int, samples: bool) -> None:
    graph, data = dense_network()
    got, _ = applied(HashWeights(ratio), graph, data if samples else None)
    for w in weights(got):
        assert BY_NAME["hashed"].fits(w.ravel())
        assert BY_NAME["hashed"].encode(w.ravel()).nbytes < w.size / ratio + 16


def test_without_samples_a_value_is_the_mean_of_its_weights() -> None:
    """Weighted by the squares of their scales, because that is what an error of a code costs."""
    graph, _ = dense_network()
    got, _ = applied(HashWeights(4), graph)
    before, after = weights(graph)[0], weights(got)[0]
    quant = graph.nodes[0].inputs[1].quant
    assert quant
    importance = np.repeat(np.square(quant.scales), before.shape[1])
    index = hashed_indices(np.arange(before.size), codebook_size(before.size, 4))
    for bucket in np.unique(index)[:20]:
        inside = index == bucket
        mean = np.average(before.ravel()[inside].astype(float), weights=importance[inside])
        assert (np.abs(after.ravel()[inside] - mean) <= 0.5 + 1e-9).all()


def test_samples_make_the_outputs_better() -> None:
    graph, samples = dense_network()
    aware, (change, _) = applied(HashWeights(2), graph, samples)
    blind, _ = applied(HashWeights(2), graph)
    assert noise(graph, aware, samples) < 0.7 * noise(graph, blind, samples)
    assert change.effect is not None


def test_fewer_values_lose_more() -> None:
    graph, samples = dense_network()
    lost = [noise(graph, applied(HashWeights(r), graph, samples)[0], samples) for r in (2, 4, 16)]
    assert lost[0] < lost[1] < lost[2]


def test_depthwise_layers_stay() -> None:
    graph, samples = conv_network()
    _, changes = applied(HashWeights(4), graph, samples)
    assert [c.layer for c in changes] == ["y", "scores"]


@pytest.mark.parametrize("ratio", [0, 1, 5])
def test_ratios_that_the_encoding_does_not_know(ratio: int) -> None:
    with pytest.raises(CompileError) as caught:
        HashWeights(ratio)
    assert caught.value.code == "E0701"


@needs_emulator
def test_bits_on_a_board() -> None:
    images = np.random.default_rng(0).normal(size=(20, 3, 16, 16)).astype(np.float32)
    compiled = mcucompile.compile(
        MODEL, "qemu-m4", calibration=Samples({"image": images}), ranges="minmax", equalize="off",
        passes="hash_weights=8@residual*, encode=hashed@residual*",
    )  # fmt: skip
    assert compiled.verify().ok


def test_damping_must_be_positive() -> None:
    with pytest.raises(CompileError) as caught:
        HashWeights(damping=0.0)
    assert caught.value.code == "E0701"
