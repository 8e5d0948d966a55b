"""Histograms, the ranges taken from them, and batched runs."""

from __future__ import annotations

import numpy as np
import pytest
from float_graphs import FloatGraph, small_network
from hypothesis import given, settings
from hypothesis import strategies as st

from mcucompile.errors import CompileError
from mcucompile.ir import Array, DType
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.transpose import Transpose
from mcucompile.passes.calibrate import METHODS, Histogram, Range, observe, runner
from mcucompile.passes.calibrate.batch import batched
from mcucompile.passes.calibrate.histogram import HALF
from mcucompile.reference import evaluate

FLOATS = st.floats(-1e6, 1e6, width=32).filter(lambda v: v == 0 or abs(v) > 1e-6)


def histogram_of(*parts: Array) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(np.asarray(part, np.float32))
    return histogram


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(FLOATS, min_size=1), min_size=1, max_size=4))
def test_histogram_does_not_depend_on_the_order(parts: list[list[float]]) -> None:
    arrays = [np.asarray(p) for p in parts]
    forward, backward = histogram_of(*arrays), histogram_of(*arrays[::-1])
    assert forward.width == backward.width
    assert np.array_equal(forward.counts, backward.counts)
    values = np.concatenate(arrays).astype(np.float32)
    assert (forward.low, forward.high) == (min(0, values.min()), max(0, values.max()))
    assert forward.total == values.size and forward.zeros == np.count_nonzero(values == 0)


def test_histogram_counts_as_numpy_does() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    histogram = histogram_of(values[:10] * 1e-3, values)
    edges = np.arange(-HALF, HALF + 1) * histogram.width
    assert np.array_equal(histogram.counts, np.histogram(np.concatenate([values[:10] * 1e-3, values]), edges)[0])


def test_a_power_of_two_fits_its_histogram() -> None:
    histogram = histogram_of(np.asarray([-4.0, 4.0]))
    assert histogram.counts.sum() == 2


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e20, 0), st.floats(0, 1e20), st.sampled_from([DType.I8, DType.I16]))
def test_range_represents_zero_and_both_ends(low: float, high: float, dtype: DType) -> None:
    quant = Range(low, high).params(dtype)
    assert quant.dequantize(np.asarray([quant.zero], dtype.numpy))[0] == 0
    if max(-low, high) > 1e-20:
        ends = np.asarray([low, high], np.float32)
        assert np.abs(quant.dequantize(quant.quantize(ends)) - ends).max() <= 0.51 * quant.scale + 1e-6 * (high - low)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
@pytest.mark.parametrize("values", [np.zeros(9), np.ones(9), -np.ones(9), np.arange(-5.0, 6.0), np.full(3, 1e-30)])
def test_every_method_stays_within_the_extremes(method: str, dtype: DType, values: Array) -> None:
    values = values.astype(np.float32)
    chosen = METHODS[method](histogram_of(values), dtype)
    assert min(0, values.min()) <= chosen.low <= 0 <= chosen.high <= max(0, values.max())


def test_minmax_is_exact() -> None:
    assert METHODS["minmax"](histogram_of(np.asarray([-0.7, 3.1])), DType.I8) == Range(
        float(np.float32(-0.7)), float(np.float32(3.1))
    )


def test_percentile_leaves_out_one_in_ten_thousand() -> None:
    values = np.concatenate([np.linspace(-1, 1, 99_999), [50.0]])
    chosen = METHODS["percentile"](histogram_of(values), DType.I8)
    assert chosen.low == pytest.approx(-1, abs=0.05)
    assert chosen.high == pytest.approx(1, abs=0.05)


def brute_force_error(values: Array, high: float) -> float:
    quant = Range(0, high).params(DType.I8)
    return float(np.square(values - quant.dequantize(quant.quantize(values))).sum())


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_mse_is_near_the_best_of_a_fine_grid(power: float) -> None:
    """For short and long tails, against quantizing the values themselves."""
    values = np.random.default_rng(0).exponential(size=200_000).astype(np.float32) ** power
    chosen = METHODS["mse"](histogram_of(values), DType.I8)
    best = min(brute_force_error(values, values.max() * f) for f in np.linspace(0.02, 1, 50))
    assert brute_force_error(values, chosen.high) <= 1.1 * best


def test_mse_cuts_an_outlier_among_many() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=1_000_000), [6.5]])
    assert METHODS["mse"](histogram_of(values), DType.I8).high < 6


def test_entropy_cuts_a_lone_outlier() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=50_000), [30.0]])
    assert METHODS["entropy"](histogram_of(values), DType.I8).high < 15


def one_by_one(graph_outputs: list[dict[str, Array]], name: str) -> Array:
    return np.stack([o[name] for o in graph_outputs])


def test_batched_runs_equal_single_ones() -> None:
    graph, samples = small_network()
    run = runner(graph, samples)
    assert run.chunk > 1
    want = one_by_one([evaluate(graph, {"x": x}) for x in samples["x"]], "scores")
    assert np.allclose(run.outputs(samples)[graph.outputs[0]], want, rtol=1e-5, atol=1e-5)


def test_a_graph_without_a_batch_axis_runs_one_by_one() -> None:
    net = FloatGraph((1, 6, 4))
    flat = net.add("flat", Reshape((6, 4)), net.x)
    y = net.add("y", Transpose((1, 0)), flat)
    graph, samples = net.graph(y), net.samples(5)
    assert batched(graph, 2) is None
    run = runner(graph, samples)
    assert run.chunk == 1
    assert np.array_equal(run.outputs(samples)[graph.outputs[0]], samples["x"][:, 0].transpose(0, 2, 1))


def test_a_mean_over_the_batch_axis_runs_one_by_one() -> None:
    """Batched, the shapes still fit, but samples would mix."""
    net = FloatGraph((1, 4))
    y = net.add("y", ReduceMean((0,)), net.x)
    z = net.add("z", Reshape((1, 4)), y)
    assert runner(net.graph(z), net.samples(5)).chunk == 1


def test_observation_means_and_reaches() -> None:
    graph, samples = small_network()
    seen = observe(runner(graph, samples), samples)[graph.inputs[0]]
    assert seen.mean is not None and np.allclose(seen.mean, samples["x"].mean(axis=0), atol=1e-6)
    assert seen.reach is not None and np.allclose(seen.reach, np.abs(samples["x"]).max(axis=(0, 1, 2, 3)))


def test_samples_that_overflow_the_network() -> None:
    graph, samples = small_network()
    samples["x"][3] = 3e38
    with pytest.raises(CompileError) as caught, np.errstate(all="ignore"):
        observe(runner(graph, samples), samples)
    assert caught.value.code == "E0202"
