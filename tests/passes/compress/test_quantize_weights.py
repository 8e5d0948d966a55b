"""Weights of few bits: grids that quantization keeps, zeros that stay, bits shared out by what they cost."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, QuantParams, Tensor, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.weighted import Weighted
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress import Change
from mcucompile.passes.compress.prune_weights import PruneWeights
from mcucompile.passes.compress.quantize_weights import QuantizeWeights
from mcucompile.passes.compress.share_bits import CHOICES, FULL, Cost, allotted, used
from mcucompile.passes.quantize import QuantizeOptions, quantize

Samples = dict[str, Array]
LEVELS = {2: 1, 3: 3, 4: 7, 5: 15, 6: 31, "ternary": 1, "binary": 1}


def apply(p: QuantizeWeights, graph: Graph, samples: Samples | None) -> tuple[Change, ...]:
    changes = p.apply(graph, [n for n in graph.nodes if p.takes(n)], samples)
    verify(graph)
    return changes


def scores(graph: Graph, samples: Samples) -> Array:
    return runner(graph, samples).outputs(samples)[graph.outputs[0]]


def noise(p: QuantizeWeights, seed: int = 0) -> float:
    graph, samples = small_network(seed)
    want = scores(graph, samples)
    apply(p, graph, samples)
    return float(np.square(scores(graph, samples) - want).sum() / np.square(want - want.mean(axis=0)).sum())


def test_making_up_for_earlier_layers_is_no_error() -> None:
    """The last layer repairs much, by weights that move further than their own rounding takes them."""
    net = FloatGraph((1, 5, 5, 6))
    y = net.conv("b", net.conv("a", net.x, 7, RELU), 8, RELU)
    graph = net.graph(net.dense("c", y, 6))
    values = net.rng.normal(size=(60, 1, 5, 5, 6)) @ net.rng.normal(size=(6, 6)) + 1.0
    changes = apply(QuantizeWeights("binary"), graph, {"x": values.astype(np.float32)})
    assert all(c.effect is not None and 0 < c.effect < 0.5 for c in changes)


@pytest.mark.parametrize("bits", LEVELS)
@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_integers_of_the_grid(bits: str | int, rounding: str) -> None:
    """In each kind of layer; quantization takes over the very integers and scales."""
    graph, samples = small_network()
    apply(QuantizeWeights(bits, rounding), graph, samples)  # type: ignore[arg-type]
    grids, stored = {}, {}
    for node in graph.nodes:
        weight = node.inputs[1] if len(node.inputs) > 1 else None
        if weight is not None:
            assert weight.grid and weight.const is not None
            q = weight.grid.quantize(weight.const)
            assert np.abs(q).max() <= LEVELS[bits]
            assert bits != "binary" or np.all(q != 0)
            grids[node.output.name], stored[node.output.name] = weight.grid, q
    quantize(graph, samples, QuantizeOptions())
    for node in graph.nodes:
        if node.output.name in grids:
            assert node.inputs[1].quant == grids[node.output.name]
            np.testing.assert_array_equal(node.inputs[1].const, stored[node.output.name])


def test_binary_scale_is_the_mean_magnitude() -> None:
    graph, _ = small_network()
    weight = graph.nodes[0].inputs[1].const
    assert weight is not None
    apply(QuantizeWeights("binary", "nearest"), graph, None)
    got = graph.nodes[0].inputs[1].const
    want = np.abs(weight).mean(axis=(1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(got, np.sign(weight) * want[:, None, None, None], rtol=1e-6)


def test_nothing_but_weights_changes_without_samples() -> None:
    graph, _ = small_network()
    biases = [n.inputs[2] for n in graph.nodes if len(n.inputs) == 3]
    (first, *_) = apply(QuantizeWeights(4, "nearest"), graph, None)
    assert [n.inputs[2] for n in graph.nodes if len(n.inputs) == 3] == biases
    assert first.effect is None and first.criterion == "4 bits, nearest"


@pytest.mark.parametrize("bits", [4, 3, "ternary", "binary"])
def test_compensation_loses_less(bits: str | int) -> None:
    """Summed over four networks."""
    lost = [
        sum(noise(QuantizeWeights(bits, rounding), seed) for seed in range(4))  # type: ignore[arg-type]
        for rounding in ("nearest", "compensated")
    ]
    assert lost[1] < 0.8 * lost[0]


def test_more_bits_lose_less() -> None:
    lost = [noise(QuantizeWeights(bits)) for bits in (2, 3, 4, 5, 6)]
    assert lost == sorted(lost, reverse=True)


@pytest.mark.parametrize("bits", [4, "ternary", "binary"])
@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_zeros_stay_zero(bits: str | int, rounding: str) -> None:
    graph, samples = small_network(2)
    layers = [n for n in graph.nodes if PruneWeights.takes(n)]
    PruneWeights(0.6).apply(graph, layers, samples)
    zero = [n.inputs[1].const == 0 for n in layers]
    apply(QuantizeWeights(bits, rounding), graph, samples)  # type: ignore[arg-type]
    for node, where in zip(layers, zero, strict=True):
        assert node.inputs[1].const is not None and not node.inputs[1].const[where].any()


def weights_of(graph: Graph) -> list[Tensor]:
    return [n.inputs[1] for n in graph.nodes if len(n.inputs) == 3]


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_layers_on_a_grid_of_few_bits_are_kept(bits: Literal[2, 4, 6]) -> None:
    """As a file has them, whose weights promise to lie on it; here made by the pass itself."""
    graph, samples = small_network()
    apply(QuantizeWeights(4), graph, samples)
    before = weights_of(graph)
    changes = apply(QuantizeWeights(bits), graph, samples)
    assert [(c.unit, c.criterion) for c in changes] == [("weights, kept", "already 4 bits")] * 3
    for old, new in zip(before, weights_of(graph), strict=True):
        np.testing.assert_array_equal(new.const, old.const)
        assert new.grid == old.grid
    assert not any(PruneWeights.takes(n) for n in graph.nodes)


VALUES = {"binary": [-1, 1], "ternary": [-1, 0, 1], "3 bits": [-3, -1, 0, 2]}


def trained_on(values: list[int], seed: int = 0) -> tuple[Graph, Samples]:
    """The small network with weights that are such integers times a scale per output channel, and no grid."""
    graph, samples = small_network(seed)
    rng = np.random.default_rng(seed)
    for node in graph.nodes:
        if len(node.inputs) == 3:
            old = node.inputs[1]
            assert isinstance(node.op, Weighted)
            scales = rng.uniform(0.05, 0.3, old.shape[node.op.weight_axis]).astype(np.float32)
            along = [-1 if i == node.op.weight_axis else 1 for i in range(len(old.shape))]
            q = rng.choice(values, old.shape).astype(np.float32)
            np.moveaxis(q, node.op.weight_axis, 0)[:, *[0] * (q.ndim - 1)] = values[0]  # the largest is in every one
            node.inputs[1] = constant(old.name, q * scales.reshape(along))
    return graph, samples


@pytest.mark.parametrize("few", VALUES)
@pytest.mark.parametrize("p", [QuantizeWeights(4), QuantizeWeights(5, "nearest"), QuantizeWeights("auto", budget=0.3)])
def test_weights_of_fewer_bits_stay_what_they_are(few: str, p: QuantizeWeights) -> None:
    """Their small integers take less flash than the 4 or 5 bits that were asked for; nothing is lost."""
    graph, samples = trained_on(VALUES[few])
    before = [w.const for w in weights_of(graph)]
    changes = apply(p, graph, samples)
    assert [(c.unit, c.criterion, c.before == c.after) for c in changes] == [
        ("weights, kept", f"already {few}", True)
    ] * 3
    for old, new in zip(before, weights_of(graph), strict=True):
        assert old is not None and new.const is not None and new.grid
        np.testing.assert_allclose(new.const, old, rtol=2**-21)
        assert set(np.unique(new.grid.quantize(new.const))) <= set(VALUES[few])


def test_weights_of_more_bits_are_rounded() -> None:
    """Seven levels are too many for 2 bits, and one value off the grid is off the grid."""
    graph, samples = trained_on(VALUES["3 bits"])
    changes = apply(QuantizeWeights(2), graph, samples)
    assert {c.criterion for c in changes} == {"2 bits, compensated"}
    graph, samples = trained_on(VALUES["ternary"])
    first = graph.nodes[0]
    assert first.inputs[1].const is not None
    off = first.inputs[1].const.copy()
    off[0, 1, 1, 1] = 0.45 * off[0, 0, 0, 0]
    first.inputs[1] = constant("off", off)
    assert [c.unit for c in apply(QuantizeWeights(4), graph, samples)] == ["weights", *["weights, kept"] * 2]


def test_a_file_of_8_bit_weights_can_have_fewer() -> None:
    graph, samples = small_network()
    for node in graph.nodes:
        if len(node.inputs) == 3:
            w = node.inputs[1]
            assert w.const is not None
            grid = QuantParams.per_tensor(float(np.float32(np.abs(w.const).max() / 127)))
            node.inputs[1] = replace(constant(w.name, grid.dequantize(grid.quantize(w.const))), grid=grid)
    apply(QuantizeWeights(4), graph, samples)
    for w in weights_of(graph):
        assert w.grid and w.const is not None and np.abs(w.grid.quantize(w.const)).max() <= 7


def test_same_input_same_weights() -> None:
    results = []
    for _ in range(2):
        graph, samples = small_network()
        apply(QuantizeWeights("auto", budget=0.4), graph, samples)
        results.append([n.inputs[1].const for n in graph.nodes if len(n.inputs) == 3])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_that_costs_more_gets_more_bits() -> None:
    """Nothing but noise comes out of b, whose share in the sum is tiny; a is the network."""
    net = FloatGraph((1, 12))
    a, b = net.dense("a", net.x, 8, RELU), net.dense("b", net.x, 8, RELU)
    weight = net.nodes[1].inputs[1].const
    assert weight is not None
    weight *= 1e-3
    graph = net.graph(net.add("y", Add(), a, b))
    changes = apply(QuantizeWeights("auto", budget=0.65), graph, net.samples(50))
    assert [(c.layer, c.criterion) for c in changes] == [("b", "2 bits, compensated")]


def test_budget_of_bits_is_kept() -> None:
    costs = [Cost(100, {8: 0.0, 4: 0.1, 3: 0.2, 2: 0.9}), Cost(300, {8: 0.0, 4: 0.2, 3: 0.3, 2: 0.4})]
    for budget in (0.25, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0):
        bits = allotted(costs, budget)
        assert used(costs, bits) <= budget * 8 * 400
        assert all(b in (2, 3, 4, FULL) for b in bits)
    assert allotted(costs, 1.0) == [8, 8] and allotted(costs, 0.25) == [2, 2]


@pytest.mark.parametrize("seed", range(6))
def test_shares_are_near_the_best_ones(seed: int) -> None:
    """Against all 4^5 ways; the greedy choice may lose a quarter of what quantizing everything to 2 bits costs."""
    rng = np.random.default_rng(seed)
    costs = []
    for _ in range(5):
        e = np.sort(rng.random(3))
        costs.append(Cost(int(rng.integers(50, 500)), {8: 0.0, 4: e[0] / 10, 3: e[1] / 3, 2: e[2]}))
    allowed = 0.45 * 8 * sum(c.size for c in costs)
    ways = [w for w in product((2, 3, 4, 8), repeat=5) if used(costs, w) <= allowed]
    least = min(sum(c.errors[b] for c, b in zip(costs, w, strict=True)) for w in ways)
    got = sum(c.errors[b] for c, b in zip(costs, allotted(costs, 0.45), strict=True))
    assert least <= got <= least + 0.25 * sum(c.errors[2] for c in costs)


def test_one_sample() -> None:
    graph, samples = small_network()
    apply(QuantizeWeights(4), graph, {"x": samples["x"][:1]})


def test_choices_are_bits_below_eight() -> None:
    assert all(isinstance(bits, int) and bits < FULL for bits in CHOICES)


@pytest.mark.parametrize("p", [QuantizeWeights(4), QuantizeWeights("auto"), QuantizeWeights("auto", "nearest")])
def test_samples_are_needed(p: QuantizeWeights) -> None:
    graph, _ = small_network()
    with pytest.raises(CompileError) as caught:
        apply(p, graph, None)
    assert caught.value.code == "E0201" and "rounding:nearest" in caught.value.fix


def test_options_out_of_range() -> None:
    for wrong in ({"budget": 0.2}, {"budget": 1.5}, {"damping": 0.0}):
        with pytest.raises(CompileError) as caught:
            QuantizeWeights(**wrong)  # type: ignore[arg-type]
        assert caught.value.code == "E0701"
