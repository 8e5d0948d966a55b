"""Sums get one rounding only where all pairs of operands give what three roundings gave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_graphs import RELU, RELU6, IntegerGraph, assert_same_bits

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Graph, Numerics, QuantParams, graph_text, verify
from mcucompile.ops.add import Add
from mcucompile.ops.linear_sum import GemmlowpSum, LinearSum, ScaledSum
from mcucompile.ops.mul import Mul
from mcucompile.ops.sub import Sub
from mcucompile.options import Options
from mcucompile.passes.linearize_sums import LinearizeSums, Pairs, beside
from mcucompile.pipeline import prepare
from mcucompile.reference import evaluate

INT8 = QuantParams.per_tensor(0.05, -5)


def a_sum(op: ScaledSum, a: QuantParams, b: QuantParams, y: QuantParams, numerics: Numerics = Numerics.TFLITE) -> Graph:
    g = IntegerGraph(numerics)
    return g.graph(g.add(op, g.input(256, 1, quant=a), g.input(1, 256, quant=b), quant=y))


def fixed_of(graph: Graph) -> object:
    op = graph.nodes[0].op
    assert isinstance(op, ScaledSum)
    return op.fixed


def all_pairs(graph: Graph) -> Array:
    values = [np.arange(t.dtype.low, t.dtype.high + 1).astype(t.dtype.numpy).reshape(t.shape) for t in graph.inputs]
    return next(iter(evaluate(graph, {t.name: v for t, v in zip(graph.inputs, values, strict=True)}).values()))


@st.composite
def quants(draw: st.DrawFn) -> QuantParams:
    return QuantParams.per_tensor(draw(st.floats(0.004, 0.5)), draw(st.integers(-128, 127)))


@settings(deadline=None)
@given(st.sampled_from([Add(), Sub(), Add(RELU), Sub(RELU6)]), quants(), quants(), quants())
def test_all_pairs_give_the_same(op: ScaledSum, a: QuantParams, b: QuantParams, y: QuantParams) -> None:
    graph = a_sum(op, a, b, y)
    wanted = all_pairs(graph)
    changed = LinearizeSums().run(graph)
    verify(graph)
    assert isinstance(fixed_of(graph), LinearSum if changed else GemmlowpSum)
    np.testing.assert_array_equal(all_pairs(graph), wanted)


@pytest.mark.parametrize("op", [Add(), Sub(), Add(RELU)], ids=str)
def test_common_sums_are_linearized(op: ScaledSum) -> None:
    graph = a_sum(op, INT8, QuantParams.per_tensor(0.0317, 12), QuantParams.per_tensor(0.0719, -128))
    assert LinearizeSums().run(graph) == 1
    fixed = fixed_of(graph)
    assert isinstance(fixed, LinearSum) and fixed.bits == 32


@pytest.mark.parametrize("clip", [NO_CLIP, RELU])
def test_halves_that_go_away_from_zero(clip: Clip) -> None:
    """One rounding sends them upward; multipliers a little larger send them away from zero too."""
    half = QuantParams.per_tensor(0.05, 0)
    graph = a_sum(Add(clip), half, half, QuantParams.per_tensor(0.1, 0))
    wanted = all_pairs(graph)
    assert (wanted[128 + 3, 128], wanted[128 - 3, 128]) == (2, -2 if clip == NO_CLIP else 0)
    assert LinearizeSums().run(graph) == 1
    np.testing.assert_array_equal(all_pairs(graph), wanted)


def test_halves_of_other_scales_stay() -> None:
    """50a/70 + 31b/70 comes to a half for hundreds of pairs, and no multipliers nearby send them all away from zero."""
    scales = (QuantParams.per_tensor(s) for s in (0.05, 0.031, 0.07))
    graph = a_sum(Add(), *scales)
    before = graph_text(graph)
    assert LinearizeSums().run(graph) == 0 and graph_text(graph) == before


def test_one_rounding_stays() -> None:
    graph = a_sum(Add(), INT8, QuantParams.per_tensor(0.031, 12), INT8, Numerics.ONNX)
    before = graph_text(graph)
    assert LinearizeSums().run(graph) == 0 and graph_text(graph) == before


def test_sixteen_bits_stay() -> None:
    wide = QuantParams.per_tensor(0.001, 0, DType.I16)
    graph = a_sum(Add(), wide, wide, wide)
    assert isinstance(fixed_of(graph), GemmlowpSum)
    assert LinearizeSums().run(graph) == 0


def test_products_stay() -> None:
    g = IntegerGraph(Numerics.TFLITE)
    graph = g.graph(g.add(Mul(), g.input(2, 2), g.input(2, 2)))
    assert LinearizeSums().run(graph) == 0


def test_a_sum_that_is_always_at_a_limit_stays() -> None:
    """Nothing bounds its offset on one side; such channels are removed elsewhere."""
    graph = a_sum(Add(RELU), QuantParams.per_tensor(0.001, 127), QuantParams.per_tensor(0.001, 127), INT8)
    assert LinearizeSums().run(graph) == 0


def test_offsets_by_hand() -> None:
    """Results 0, 1, 1, 2 of sums 0..3 at shift 1: offsets 1 alone will do, (0+1)>>1 = 0, (1+1)>>1 = 1, 1, 2."""
    like = LinearSum((1, 1), 0, 1, 32)
    wanted = GemmlowpSum(0, (1, 1, 1), (0, 0, 0), (0, 0, 0), 1)
    pairs = Pairs(np.arange(4)[:, None], np.zeros(1, np.int64), (-128, 127), wanted)
    pairs.results = np.array([[0], [1], [1], [2]])
    found = pairs.with_multipliers(like, (1, 1))
    assert found and found.offset == 1
    pairs.results = np.array([[0], [1], [2], [2]])
    assert pairs.with_multipliers(like, (1, 1)) is None
    pairs.limits, pairs.results = (-128, 2), np.array([[0], [1], [1], [1]])
    assert pairs.with_multipliers(like, (1, 1)) is None


def test_the_nearest_multipliers_come_first() -> None:
    found = list(beside((10, 20)))
    assert found[0] == (10, 20) and len(set(found)) == 49
    assert set(found[1:5]) == {(9, 20), (11, 20), (10, 19), (10, 21)}


@pytest.mark.parametrize("name", ["mlperf_ic_resnet8_int8", "mcunet_det_person_int8"])
def test_a_real_network(shared_model: Callable[[str], Path], name: str) -> None:
    prepared = prepare(shared_model(name), "net", Options(numerics=Numerics.TFLITE), None)
    sums = [n.op.fixed for n in prepared.graph.nodes if isinstance(n.op, ScaledSum)]
    assert sums and all(isinstance(f, LinearSum) for f in sums)
    assert_same_bits(prepared.twin, prepared.graph)
