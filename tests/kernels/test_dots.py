"""Fully connected layers by two products a multiplication: weights at and beyond what half a word holds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from graphs import case, channel_scales
from one_node import activation
from rig import Case, check

from mcucompile.ir import Array, DType, Numerics, QuantParams, constant
from mcucompile.kernels.dense.dots import Dots, fits_halves, parts
from mcucompile.ops.dense import Dense


def layer(weights: Array, numerics: Numerics = Numerics.ONNX) -> Case:
    """A layer with these weights [O, K]; among its inputs the one that makes the first output's sum the largest."""
    rng = np.random.default_rng(weights.size)
    outputs, inputs = weights.shape
    x = activation("x", (1, inputs), DType.I8, 0, 0.05)
    w = constant("w", weights.astype(np.int8), QuantParams(channel_scales(rng, outputs, 2.0), 0, DType.I8, 0))
    b = constant("b", rng.integers(-(1 << 20), 1 << 20, outputs).astype(np.int32))
    y = activation("y", (1, outputs), DType.I8, 3, 0.01 * 0.05 * 2**13)
    made = case("extremes", Dense(), [x, w, b], y, rng, numerics, samples=4)
    for sample, values in zip(made.samples, (-128, 127, np.where(weights[0] > 0, 127, -128)), strict=False):
        sample["x"][:] = values
    return made


def is_within_16_bits(weights: tuple[int, ...]) -> bool:
    """Tried with all extreme values."""
    sums = [
        sum(w * a for w, a in zip(taken, values, strict=True))
        for taken in (weights, weights[:2])
        for values in product((-128, 127), repeat=len(taken))
    ]
    return min(sums) >= -(1 << 15) and max(sums) < 1 << 15


EDGES = (
    *((64, 64, 64, 64), (64, 64, 64, 63), (-64, -64, -64, -64), (-64, -64, -64, -63), (-128, -128, 0, 0)),
    *((127, 127, 1, 1), (127, 127, 1, 2), (0, 0, -128, -128), (127, -128, 1, 0), (127, -128, 0, 1), (0, 0, 0, 0)),
)


@pytest.mark.parametrize("weights", EDGES)
def test_what_fits_is_what_no_input_overflows(weights: tuple[int, ...]) -> None:
    assert bool(fits_halves(np.array(weights))) == is_within_16_bits(weights)


@pytest.mark.parametrize("value", [-128, 127, 64, 30])
def test_parts_add_up_and_fit(value: int) -> None:
    weights = np.random.default_rng(2).integers(-128, 128, (6, 30))
    weights[2] = value
    found = parts(layer(weights).graph.nodes[0])
    assert (sum(found).reshape(8, -1)[:6, :30] == weights).all()
    assert all(is_within_16_bits(tuple(step)) for part in found for step in part.reshape(-1, 4))


@pytest.mark.parametrize("numerics", list(Numerics))
def test_weights_that_do_not_fit_take_more_steps(numerics: Numerics) -> None:
    rng = np.random.default_rng(3)
    shapes = ((1, 3), (5, 31), (4, 128), (130, 129), (9, 640))
    weights = [np.full(s, v) for s in shapes for v in (-128, 127)] + [rng.integers(-128, 128, s) for s in shapes]
    weights += [np.where(rng.random((8, 256)) < 0.05, 127, 10), np.full((7, 9), 30)]
    cases = [layer(w, numerics) for w in weights]
    counts = [len(Dots().constants(c.graph.nodes[0])) for c in cases]
    assert min(counts) == 2
    assert max(counts) == 3
    check(cases, ["qemu-m3"], host=False, only=lambda kernel: kernel.variant == "dots")
