"""Least squares after pruning: against numpy's own, in order of the layers, and never for what it cannot tell."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from float_graphs import RELU, SAME, FloatGraph
from networks_by_hand import linear, only_family, outputs

from mcucompile.ir import Array, Graph, QuantParams, Tensor, constant
from mcucompile.ops.add import Add
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window
from mcucompile.passes.channels.cut import cut
from mcucompile.passes.compress.pruning.dependencies import families, masks
from mcucompile.passes.compress.pruning.evidence import Evidence, interaction
from mcucompile.passes.compress.pruning.reconstruct import Fit, reconstruct
from mcucompile.passes.compress.pruning.refit import closest, refitted
from mcucompile.passes.compress.pruning.regression import Regression
from mcucompile.passes.compress.pruning.remove import copy_with_tensors


def pruned(graph: Graph, units: list[list[int]], samples: dict[str, Array]) -> tuple[Graph, list[Fit]]:
    """Without these units of each family, fitted."""
    smaller = copy_with_tensors(graph)
    kept = masks(smaller, list(zip(families(smaller), units, strict=True)))
    cut(smaller, kept)
    of_original = dict(zip(graph.activations(), kept.values(), strict=True))
    return smaller, reconstruct(graph, smaller, of_original, samples)


def same(a: Tensor, b: Tensor) -> bool:
    assert a.const is not None and b.const is not None
    return np.array_equal(a.const, b.const)


def test_regression_is_numpys_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)) + 3, rng.normal(size=(50, 2))
    found = Regression.of([(x[:20], y[:20]), (x[20:], y[20:])])
    weights, bias = found.solve(np.zeros((2, 4)), 1e-12)
    want, residuals, *_ = np.linalg.lstsq(np.hstack([x, np.ones((50, 1))]), y)
    np.testing.assert_allclose(np.vstack([weights.T, bias]), want, atol=1e-8)
    share = residuals.sum() / np.square(y - y.mean(axis=0)).sum()
    assert found.squares(weights, bias) / found.variance == pytest.approx(share)


def test_regressions_add_up() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    whole, parts = Regression.of([(x, y)]), Regression.of([(x[:9], y[:9])]).merged(Regression.of([(x[9:], y[9:])]))
    for field in ("rows", "x", "y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(parts, field), getattr(whole, field))


def test_a_large_mean_costs_no_precision() -> None:
    """float32 has seven digits, and four of them go into the mean."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(400, 3)) + 2000).astype(np.float32)
    y = (x - 2000) @ np.array([[1.0], [-2], [3]], np.float32)
    weights, _ = Regression.of([(x[:150], y[:150]), (x[150:], y[150:])]).solve(np.zeros((1, 3)), 1e-9)
    np.testing.assert_allclose(weights, [[1, -2, 3]], rtol=1e-4)


def test_a_large_ridge_keeps_the_weights() -> None:
    rng = np.random.default_rng(0)
    x, y, start = rng.normal(size=(50, 4)), rng.normal(size=(50, 2)), rng.normal(size=(2, 4))
    weights, _ = Regression.of([(x, y)]).solve(start, 1e9)
    np.testing.assert_allclose(weights, start, atol=1e-6)


def test_closest_rows_are_numpys_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(3, 5))
    centred, stays = x - x.mean(axis=0), np.array([True, False, True, True, False])
    found = closest(weights, stays, centred.T @ centred / 200, 1e-12)
    want = np.linalg.lstsq(centred[:, stays], centred @ weights.T)[0].T
    np.testing.assert_allclose(found[:, stays], want, atol=1e-6)
    assert not found[:, ~stays].any()


def test_interaction_is_the_error_of_leaving_units_out() -> None:
    """Against running the layer with zeros, its bias corrected."""
    net = FloatGraph((1, 5, 5, 3))
    graph = net.graph(net.conv("y", net.conv("a", net.x, 6, RELU), 4))
    samples = net.samples(8)
    family, evidence = only_family(graph), Evidence(graph, samples)
    matrix = interaction(family, graph.nodes[1], evidence.moments[graph.nodes[1]])
    zeroed = copy.deepcopy(graph)
    weight = zeroed.nodes[1].inputs[1]
    assert weight.const is not None
    values = weight.const.copy()
    values[..., [1, 4]] = 0
    zeroed.nodes[1].inputs[1] = constant("zeroed", values)
    want, got = (outputs(g, samples).reshape(-1, 4).astype(np.float64) for g in (graph, zeroed))
    error, signal = (np.square(v - v.mean(axis=0)).sum() for v in (got - want, want))
    assert matrix[np.ix_([1, 4], [1, 4])].sum() == pytest.approx(error / signal, rel=1e-4)


def test_fitted_means_stay() -> None:
    """The bias takes what the removed channels gave on average."""
    net = FloatGraph((1, 4, 4, 3))
    graph = net.graph(net.conv("y", net.conv("a", net.x, 6, RELU), 4, window=Window((1, 1))))
    samples = net.samples(30)
    smaller, (fit,) = pruned(graph, [[0, 3]], samples)
    want, got = (outputs(g, samples).reshape(-1, 4) for g in (graph, smaller))
    np.testing.assert_allclose(got.mean(axis=0), want.mean(axis=0), atol=1e-4)
    assert 0 < fit.after < fit.before
    left = np.square(got - want).sum() / np.square(want - want.mean(axis=0)).sum()
    assert fit.after == pytest.approx(left, rel=1e-3)


def test_later_layers_make_good_what_earlier_ones_lost() -> None:
    """Only the first family is pruned, and every layer behind it is fitted on what it now gets."""
    net = FloatGraph((1, 6, 6, 3))
    a = net.conv("a", net.x, 8, RELU)
    graph = net.graph(net.conv("c", net.conv("b", a, 8, RELU), 4))
    _, fits = pruned(graph, [[0, 1], []], net.samples(30))
    assert [f.node.output.name for f in fits] == ["b", "c"]
    assert all(f.after < f.before for f in fits)


def test_every_kind_of_layer_is_fitted() -> None:
    """Grouped and depthwise layers too, a group at a time."""
    net = FloatGraph((1, 6, 6, 3))
    b = net.conv("b", net.conv("a", net.x, 8, RELU), 6, RELU)
    d = net.depthwise("d", b, RELU)
    g = net.add("g", Conv2d(SAME, 2), d, net.values("g_w", 4, 3, 3, 3), net.values("g_b", 4))
    graph = net.graph(net.dense("scores", g, 5))
    units = [[0, 1] if "a" in {t.name for t in f.of} else [] for f in families(graph)]
    smaller, fits = pruned(graph, units, net.samples(60))
    assert [f.node.output.name for f in fits] == ["b", "d", "g", "scores"]
    assert all(f.after < f.before for f in fits)
    assert [n.inputs[1].shape for n in smaller.nodes[1:4]] == [(6, 3, 3, 6), (3, 3, 6), (4, 3, 3, 3)]


def test_what_did_not_change_is_left_alone() -> None:
    """A branch beside the pruned one."""
    net = FloatGraph((1, 6, 6, 3))
    a, b = net.conv("a", net.x, 8, RELU), net.conv("b", net.x, 8, RELU)
    graph = net.graph(net.conv("y", a, 2), net.conv("z", b, 2))
    smaller, fits = pruned(graph, [[0, 1], []], net.samples(10))
    assert [f.node.output.name for f in fits] == ["y"]
    for old, new in zip(graph.nodes, smaller.nodes, strict=True):
        if new.output.name in ("b", "z"):
            assert all(same(t, u) for t, u in zip(old.inputs[1:], new.inputs[1:], strict=True))


def test_a_branch_stands_in_for_the_other_operand() -> None:
    """y = shortcut(x) + b(a): what the shortcut lost can be said by b, which reads the same x."""
    net = FloatGraph((1, 5, 5, 6))
    point = Window((1, 1))
    h = net.conv("h", net.x, 6, window=point)
    shortcut = net.conv("s", h, 4, window=point)
    a = net.conv("a", net.x, 8, window=point)
    y = net.add("y", Add(), shortcut, net.conv("b", a, 4, window=point))
    graph = net.graph(net.conv("out", y, 3, window=point))
    samples = net.samples(40)
    units = [[0, 1, 2] if "h" in {t.name for t in f.of} else [] for f in families(graph)]
    smaller, fits = pruned(graph, units, samples)
    want, got = outputs(graph, samples), outputs(smaller, samples)
    assert "b" in {f.node.output.name for f in fits}
    assert np.square(got - want).sum() < 1e-3 * np.square(want).sum()


def test_weights_on_a_grid_stay_on_it() -> None:
    graph = linear(np.eye(4), np.ones((2, 4)))
    grid = QuantParams.per_tensor(1.0)
    graph.nodes[1].inputs[1] = Tensor("w", (2, 4), const=np.ones((2, 4), np.float32), grid=grid)
    samples = {"x": np.random.default_rng(0).normal(size=(50, 1, 4)).astype(np.float32)}
    _, fits = pruned(graph, [[0]], samples)
    assert fits == []


def test_the_scan_fits_each_layer_alone() -> None:
    """A neuron that is the sum of two others costs nothing."""
    graph = linear([[1, 0], [0, 1], [1, 1]], [[1, 2, 3]])
    samples = {"x": np.random.default_rng(0).normal(size=(2000, 1, 2)).astype(np.float32)}
    evidence = Evidence(graph, samples)
    ((weight, _),) = refitted(only_family(graph), np.array([2]), evidence.moments).values()
    assert weight.const is not None
    np.testing.assert_allclose(weight.const, [[4, 5, 0]], atol=0.01)
