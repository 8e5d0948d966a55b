"""Two layers of low rank: what they compute, which rank is taken, and what the samples are good for."""

from __future__ import annotations

import numpy as np
import pytest
from decompositions import (
    WINDOWS,
    applied,
    assert_same,
    conv_network,
    dense_network,
    kernels,
    macs,
    weight_of,
    with_weight,
)
from float_graphs import FloatGraph

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, QuantParams, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.low_rank import LowRank
from mcucompile.passes.compress.separable import Separable
from mcucompile.reference import evaluate


def output(graph: Graph, x: Array) -> Array:
    return evaluate(graph, {"x": x})["y"]


def truncated(matrix: Array, rank: int) -> Array:
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray((u[:, :rank] * s[:rank]) @ v[:rank])


def test_dense_is_the_truncated_svd() -> None:
    graph, samples = dense_network(40, 24)
    got, (change,) = applied(LowRank(rank=5), graph)
    assert_same(with_weight(graph, truncated(weight_of(graph), 5)), got, samples)
    assert [n.inputs[1].shape for n in got.nodes] == [(5, 40), (24, 5)]
    assert (change.before, change.after, change.effect) == (24 * 40, 5 * (24 + 40), None)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("form", ["output", "input", "spatial"])
def test_convolution_is_the_truncated_svd_of_its_matrix(form: str, window: Window) -> None:
    graph, samples = conv_network(6, 10, window)
    got, _ = applied(LowRank(rank=4, form=form), graph)  # type: ignore[arg-type]
    w = weight_of(graph)
    o, kh, kw, c = w.shape
    if form == "output":
        want = truncated(w.reshape(o, -1), 4).reshape(w.shape)
    elif form == "input":
        want = truncated(w.reshape(-1, c), 4).reshape(w.shape)
    else:
        rows = w.transpose(0, 2, 1, 3).reshape(o * kw, kh * c)
        want = truncated(rows, 4).reshape(o, kw, kh, c).transpose(0, 2, 1, 3)
    assert_same(with_weight(graph, want), got, samples)
    expected = {"output": [(kh, kw), (1, 1)], "input": [(1, 1), (kh, kw)], "spatial": [(kh, 1), (1, kw)]}
    assert kernels(got) == expected[form]


def test_weights_of_low_rank_are_found_and_kept() -> None:
    graph, samples = dense_network(40, 24)
    low = with_weight(graph, truncated(weight_of(graph), 3))
    got, (change,) = applied(LowRank(energy=0.99999), low)
    assert got.nodes[0].inputs[1].shape == (3, 40)
    assert_same(low, got, samples)
    assert change.score == pytest.approx(1, abs=1e-5)


def test_energy_is_the_share_of_squared_singular_values() -> None:
    graph, _ = dense_network(40, 24)
    s = np.linalg.svd(weight_of(graph), compute_uv=False) ** 2
    fewest = next(r for r in range(25) if s[:r].sum() >= 0.5 * s.sum())
    got, _ = applied(LowRank(energy=0.5), graph)
    assert got.nodes[0].inputs[1].shape == (fewest, 40)


@pytest.mark.parametrize(("ratio", "rank"), [(0.5, 7), (0.07, 1)])
def test_ratio_bounds_the_macs(ratio: float, rank: int) -> None:
    graph, _ = dense_network(40, 24)  # 960 MACs, 64 for each rank
    got, _ = applied(LowRank(ratio=ratio), graph)
    assert got.nodes[0].inputs[1].shape == (rank, 40)
    assert macs(got) <= ratio * macs(graph)


@pytest.mark.parametrize("options", [{}, {"energy": 1.0}, {"ratio": 0.01}, {"budget": 1.0}])
def test_a_layer_stays_where_no_chain_is_smaller(options: dict[str, float]) -> None:
    """Random square weights of full rank have no cheap chain that keeps 99 %; a ratio may be out of reach."""
    graph, _ = dense_network(20, 20)
    got, changes = applied(LowRank(**options), graph)  # type: ignore[arg-type]
    assert (len(got.nodes), changes) == (1, ())


def test_a_rank_that_is_asked_for_is_taken_though_it_costs_more() -> None:
    graph, samples = dense_network(20, 20)
    got, _ = applied(LowRank(rank=19), graph)
    assert macs(got) > macs(graph)
    assert_same(with_weight(graph, truncated(weight_of(graph), 19)), got, samples)


def test_samples_make_the_outputs_better() -> None:
    """The inputs have 8 directions: with them rank 8 is nearly exact, the weights alone need all 24."""
    graph, samples = dense_network(40, 24)
    _, (aware,) = applied(LowRank(rank=8), graph, samples)
    _, (blind,) = applied(LowRank(rank=8, data_aware=False), graph, samples)
    assert aware.effect is not None and blind.effect is not None
    assert aware.effect < 0.02 < blind.effect


@pytest.mark.parametrize("form", ["output", "input", "spatial"])
def test_samples_make_convolutions_better(form: str) -> None:
    graph, samples = conv_network(6, 12)
    _, (aware,) = applied(LowRank(rank=3, form=form), graph, samples)  # type: ignore[arg-type]
    _, (blind,) = applied(LowRank(rank=3, form=form, data_aware=False), graph, samples)  # type: ignore[arg-type]
    assert aware.effect is not None and blind.effect is not None
    assert aware.effect < blind.effect


def test_effect_is_the_relative_squared_error_of_the_output() -> None:
    graph, samples = dense_network(40, 24)
    got, (change,) = applied(LowRank(rank=4), graph, samples)
    want = np.stack([output(graph, x) for x in samples["x"]])
    have = np.stack([output(got, x) for x in samples["x"]])
    assert change.effect == pytest.approx(np.square(want - have).sum() / np.square(want).sum(), rel=1e-3)


def test_the_bias_takes_up_the_mean_error() -> None:
    graph, samples = dense_network(40, 24)
    for node in graph.nodes:
        node.op = type(node.op)()  # type: ignore[call-arg]  # without Relu the mean can be told
    got, _ = applied(LowRank(rank=2, data_aware=False), graph, samples)
    error = np.mean([output(got, x) - output(graph, x) for x in samples["x"]], axis=0)
    plain, _ = applied(LowRank(rank=2, data_aware=False), graph)
    before = np.mean([output(plain, x) - output(graph, x) for x in samples["x"]], axis=0)
    assert np.abs(error).max() < 1e-4 < np.abs(before).max()


def test_a_budget_goes_where_it_keeps_most() -> None:
    """Of two layers with the same MACs, the one of low rank gives up all that the budget asks for."""
    net = FloatGraph((1, 32))
    y = net.dense("y", net.x, 32)
    graph = net.graph(net.dense("z", y, 32))
    low = graph.nodes[0].inputs[1].const
    assert low is not None
    graph.nodes[0].inputs[1] = constant("y_w", truncated(low.astype(np.float64), 4).astype(np.float32))
    got, (change,) = applied(LowRank(budget=0.65), graph)
    assert change.layer == "y" and change.score > 0.9999
    assert macs(got) <= 0.65 * macs(graph)
    assert [n.output.name for n in got.nodes][1:] == ["y", "z"]


def test_a_budget_of_weights() -> None:
    graph, _ = conv_network(8, 16)
    got, _ = applied(LowRank(budget=0.4, spend="weights"), graph)
    assert sum(n.inputs[1].size for n in got.nodes) <= 0.4 * graph.nodes[0].inputs[1].size


def test_the_last_part_keeps_output_clip_and_bias() -> None:
    graph, _ = dense_network(40, 24)
    (layer,) = graph.nodes
    got, _ = applied(LowRank(rank=4), graph)
    first, last = got.nodes
    assert last.output.name == "y" and last.op.clip == layer.op.clip and first.op.clip != layer.op.clip  # type: ignore[attr-defined]
    assert np.array_equal(last.inputs[2].const, layer.inputs[2].const)  # type: ignore[arg-type]
    assert first.source == last.source == layer.source


def test_weights_of_zero_are_not_taken() -> None:
    graph, _ = dense_network(8, 8)
    assert not LowRank.takes(with_weight(graph, np.zeros((8, 8))).nodes[0])


def test_inputs_that_never_change_are_no_reason_to_fail() -> None:
    graph, samples = dense_network(40, 24)
    got, (change,) = applied(LowRank(rank=4), graph, {"x": np.ones_like(samples["x"])})
    assert change.effect == pytest.approx(0, abs=1e-9)  # the bias does it all
    assert len(got.nodes) == 2


def test_groups_and_weights_on_a_grid_are_not_taken() -> None:
    net = FloatGraph((1, 6, 6, 4))
    y = net.add("y", Conv2d(Window((1, 1)), 2), net.x, net.values("w", 8, 1, 1, 2), net.values("b", 8))
    graph = net.graph(y)
    assert not LowRank.takes(graph.nodes[0])
    graph, _ = dense_network(8, 8)
    weight = graph.nodes[0].inputs[1]
    assert LowRank.takes(graph.nodes[0])
    assert weight.const is not None
    grid = QuantParams.per_tensor(0.1)
    weight.const, weight.grid = grid.dequantize(grid.quantize(weight.const)), grid
    assert not LowRank.takes(graph.nodes[0])


@pytest.mark.parametrize("wrong", [{"energy": 0.0}, {"energy": 1.5}, {"ratio": 0.0}, {"budget": -1.0}, {"rank": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(CompileError) as caught:
        LowRank(**wrong)  # type: ignore[arg-type]
    assert caught.value.code == "E0701"


def test_separable_is_the_spatial_form() -> None:
    graph, samples = conv_network(6, 10)
    got, _ = applied(Separable(rank=4), graph)
    want, _ = applied(LowRank(rank=4, form="spatial"), graph)
    assert_same(want, got, samples)
    assert kernels(got) == [(3, 1), (1, 3)]


def test_separable_normalizes_the_channels_between() -> None:
    """What batch normalization between the two would do: deviations of 1, up to the padding's zeros."""
    graph, samples = conv_network(6, 10, Window((3, 3)))
    got, _ = applied(Separable(rank=4), graph, samples)
    between = got.nodes[0].output
    values = np.concatenate([t[between].reshape(-1, 4) for t in runner(got, samples).traces(samples)])
    assert values.std(axis=0) == pytest.approx(np.ones(4), rel=0.1)


def test_separable_leaves_lines_alone() -> None:
    graph, _ = conv_network(6, 10, Window((1, 3)))
    assert not Separable.takes(graph.nodes[0])
