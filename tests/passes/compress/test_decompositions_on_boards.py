"""Chains are compiled like any layers, and a board computes their bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mcucompile
from mcucompile.data import Samples
from mcucompile.run.tools import find_tool

MODEL = Path(__file__).parents[2] / "models" / "classifier.onnx"
RECIPES = (
    "cp=rank:6@stem*, low_rank=rank:4@pointwise*, tucker=rank:6+rank_in:5@residual*, tensor_train=rank:2@logits",
    "low_rank=rank:3+form:output@stem*, separable=rank:9@residual*, tensor_train=rank:2+cores:3@logits",
)
needs_emulator = pytest.mark.skipif(
    not (find_tool("qemu-system-arm") and find_tool("arm-none-eabi-gcc")), reason="needs the Arm compiler and QEMU"
)


@needs_emulator
@pytest.mark.parametrize("recipe", RECIPES)
def test_bits_on_a_board(recipe: str) -> None:
    images = np.random.default_rng(0).normal(size=(20, 3, 16, 16)).astype(np.float32)
    compiled = mcucompile.compile(
        MODEL, "qemu-m4", calibration=Samples({"image": images}), ranges="minmax", equalize="off", passes=recipe
    )
    changes = [c for a in compiled.prepared.applied for c in a.changes]
    assert len(changes) == len(recipe.split(","))
    assert all(c.effect is not None and 0 < c.effect < 1 for c in changes)
    assert compiled.verify().ok


def test_floats_take_chains_too() -> None:
    """Without samples, by the weights alone; full ranks change no more than rounding does."""
    plain = mcucompile.compile(MODEL, "qemu-m4", dtype="float32")
    recipe = "tucker=rank:12+rank_in:12@residual*, low_rank=rank:8@pointwise*"
    chains = mcucompile.compile(MODEL, "qemu-m4", dtype="float32", passes=recipe)
    inputs = plain.default_inputs()
    assert len(chains.graph.nodes) == len(plain.graph.nodes) + 3
    assert np.allclose(plain.expected(inputs)["scores"], chains.expected(inputs)["scores"], atol=1e-5)
