"""Channels get one shift only where every sum that may occur is rounded as before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_graphs import POINT, RELU, IntegerGraph, Q, assert_same_bits

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Graph, Numerics, QuantParams, Requant, verify
from mcucompile.ops.conv2d import Conv2d
from mcucompile.options import Options
from mcucompile.passes.align_shifts import AlignShifts, Stairs, multipliers
from mcucompile.pipeline import prepare


def results(stairs: Stairs) -> Array:
    """Every sum's result, by the formula of the requantization."""
    sums = np.arange(stairs.low, stairs.high + 1)
    scaled = Requant((stairs.multiplier,), (stairs.shift,)).apply(sums)
    return np.clip(scaled, stairs.floor, stairs.ceiling)


@st.composite
def staircases(draw: st.DrawFn) -> Stairs:
    low = draw(st.integers(-20_000, 20_000))
    high = low + draw(st.integers(0, 20_000))
    floor = draw(st.sampled_from([-128, 0, -40]))
    ceiling = draw(st.sampled_from([127, 255, 30]))
    shift = draw(st.integers(31, 45))
    return Stairs(draw(st.integers(1 << 30, (1 << 31) - 1)), shift, low, high, floor, ceiling)


@given(staircases(), st.integers(1, 12))
def test_the_results_are_the_same_for_every_sum(stairs: Stairs, less: int) -> None:
    found = stairs.with_shift(stairs.shift - less)
    if found is not None:
        other = replace(stairs, multiplier=found, shift=stairs.shift - less)
        np.testing.assert_array_equal(results(other), results(stairs))


@given(staircases())
def test_the_same_shift_gives_the_same_multiplier(stairs: Stairs) -> None:
    assert stairs.with_shift(stairs.shift) == stairs.multiplier


@given(st.integers(-9, 9), st.integers(-90, 90), st.booleans())
def test_bounds_of_the_multiplier(total: int, product: int, reaches: bool) -> None:
    low, high = multipliers(total, product, reaches)
    wanted = [m for m in range(100) if (total * m >= product) == reaches]
    assert [m for m in range(100) if low <= m <= high] == wanted


def test_by_hand() -> None:
    """3/8 per sum rises to 1, 2, 3 at sums 2, 4, 7; 1/4 at 2, 6, 10; 2/4 at 1, 3, 5. 1/4 will do up to 1."""
    assert results(Stairs(3, 3, 0, 7, -128, 127)).tolist() == [0, 0, 1, 1, 2, 2, 2, 3]
    assert Stairs(3, 3, 0, 7, -128, 127).with_shift(2) is None
    assert Stairs(3, 3, 0, 7, -128, 1).with_shift(2) == 1


@pytest.mark.parametrize("total", [-2, 1])
def test_one_result_alone_by_hand(total: int) -> None:
    """1/4 of -2 and of 1 are rounded to 0, 1/2 to -1 and 1. A limit hides the difference."""
    assert Stairs(1, 2, total, total, -128, 127).with_shift(1) == 0
    assert Stairs(1, 2, total, total, 0, 0).with_shift(1) == 1


def test_no_multiplier_is_precise_enough() -> None:
    assert Stairs((1 << 30) + 12345, 40, -200_000, 200_000, -128, 127).with_shift(20) is None


def layer(spread: list[float], numerics: Numerics = Numerics.ONNX, clip: Clip = NO_CLIP, inputs: int = 2) -> Graph:
    """A layer whose output channels' scales are 0.004 times those given."""
    g = IntegerGraph(numerics)
    x, channels = g.input(1, 3, 3, inputs), len(spread)
    scales = 0.004 * np.asarray(spread)
    return g.graph(g.layer(Conv2d(POINT, clip=clip), x, g.weights(channels, 1, 1, inputs), g.bias(channels), Q, scales))


def requant_of(graph: Graph) -> Requant:
    op = graph.nodes[0].op
    assert isinstance(op, Conv2d) and op.requant
    return op.requant


def aligned(graph: Graph) -> bool:
    before = copy.deepcopy(graph)
    changed = AlignShifts().run(graph) == 1
    verify(graph)
    assert_same_bits(before, graph)
    assert changed == (requant_of(graph) != requant_of(before))
    return changed


@pytest.mark.parametrize("clip", [NO_CLIP, RELU])
def test_a_channel_of_small_results(clip: Clip) -> None:
    graph = layer([1, 0.7, 1 / 6000, 1 / 5000], clip=clip)
    assert requant_of(graph).shift is None
    assert aligned(graph)
    assert requant_of(graph).shift is not None


def test_a_constant_channel() -> None:
    graph = layer([1, 1e-7])
    assert aligned(graph)
    assert requant_of(graph).multipliers[1] in (0, 1, round(requant_of(graph).multipliers[0] * 1e-7))


def test_one_shift_stays() -> None:
    assert not aligned(layer([1, 0.7, 0.1]))


def test_two_roundings_stay() -> None:
    graph = layer([1, 0.1], Numerics.TFLITE)
    assert requant_of(graph).shift is None
    assert not aligned(graph)


def test_a_channel_that_needs_its_bits_stays() -> None:
    """Many inputs make long sums, which tell 19 bits of a multiplier from 31."""
    graph = layer([1, 1 / 3000], inputs=300)
    assert requant_of(graph).shift is None
    assert not aligned(graph)


def test_sixteen_bits_stay() -> None:
    g = IntegerGraph()
    wide = QuantParams.per_tensor(0.001, 0, DType.I16)
    x = g.input(1, 3, 3, 2, quant=wide)
    graph = g.graph(g.layer(Conv2d(POINT), x, g.weights(2, 1, 1, 2), g.bias(2), wide, np.array([0.004, 1e-7])))
    assert requant_of(graph).shift is None
    assert not aligned(graph)


def test_a_real_network(shared_model: Callable[[str], Path]) -> None:
    """Every layer of a network that has many channels of next to nothing."""
    prepared = prepare(shared_model("mlperf_vww_mbv1_025_int8"), "vww", Options(), None)
    requants = [getattr(n.op, "requant", None) for n in prepared.graph.nodes if len(n.inputs) == 3]
    assert all(isinstance(r, Requant) and r.shift is not None for r in requants)
    assert_same_bits(prepared.twin, prepared.graph)
