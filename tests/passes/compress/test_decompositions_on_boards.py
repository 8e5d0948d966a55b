"""Chains are compiled like any layers, and all boards compute their bits."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from needs import needs_emulator

import mcucompile
from mcucompile.data import Samples

MODEL = Path(__file__).parents[2] / "models" / "classifier.onnx"
BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
RECIPES = (
    "cp=rank:6@stem*, low_rank=rank:4@pointwise*, tucker=rank:6+rank_in:5@residual*, tensor_train=rank:2@logits",
    "low_rank=rank:3+form:output@stem*, separable=rank:9@residual*, tensor_train=rank:2+cores:3@logits",
)


@cache
def compressed(recipe: str) -> mcucompile.Compiled:
    images = np.random.default_rng(0).normal(size=(20, 3, 16, 16)).astype(np.float32)
    return mcucompile.compile(
        MODEL, "qemu-m4", calibration=Samples({"image": images}), ranges="minmax", equalize="off", passes=recipe
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_layer_becomes_a_chain(recipe: str) -> None:
    changes = [c for a in compressed(recipe).prepared.applied for c in a.changes]
    assert len(changes) == len(recipe.split(","))
    assert all(c.effect is not None and 0 < c.effect < 1 for c in changes)


@needs_emulator
@pytest.mark.parametrize(("recipe", "board"), [*((RECIPES[0], b) for b in BOARDS), (RECIPES[1], "qemu-m4")])
def test_bits_on_a_board(recipe: str, board: str) -> None:
    assert compressed(recipe).for_board(board).verify().ok


def test_floats_take_chains_too() -> None:
    """Without samples, by the weights alone; full ranks change no more than rounding does."""
    plain = mcucompile.compile(MODEL, "qemu-m4", dtype="float32")
    recipe = "tucker=rank:12+rank_in:12@residual*, low_rank=rank:8@pointwise*"
    chains = mcucompile.compile(MODEL, "qemu-m4", dtype="float32", passes=recipe)
    inputs = plain.default_inputs()
    assert len(chains.graph.nodes) == len(plain.graph.nodes) + 3
    assert np.allclose(plain.expected(inputs)["scores"], chains.expected(inputs)["scores"], atol=1e-5)
