"""Filters, neurons and channels are removed as asked, and what is left is fitted."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network
from networks_by_hand import UV, U, V, columns, dense_chain, linear, outputs, shapes
from numpy.typing import ArrayLike

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import NO_CLIP, Array, DType, Graph, QuantParams, constant, verify
from mcucompile.ops.add import Add
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress.base import Change, Compression
from mcucompile.passes.compress.prune_channels import PruneChannels
from mcucompile.passes.compress.prune_filters import PruneFilters
from mcucompile.passes.compress.prune_neurons import PruneNeurons
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.pipeline import PASSES_BEFORE, run_passes
from mcucompile.reference import quantized_inputs

DIGITS = Path(__file__).parents[3] / "examples" / "digits"


def accuracy_of(graph: Graph, x: Array, y: Array) -> float:
    stored = quantized_inputs(graph, {graph.inputs[0].name: x.reshape(-1, *graph.inputs[0].shape)})
    scores = runner(graph, stored).outputs(stored)[graph.outputs[0]]
    return float((scores.reshape(len(y), -1).argmax(axis=1) == y).mean())


def applied(
    p: Compression, graph: Graph, samples: dict[str, Array] | None = None, names: tuple[str, ...] = ()
) -> tuple[Change, ...]:
    layers = [n for n in graph.nodes if p.takes(n) and (not names or n.output.name in names)]
    changes = p.apply(graph, layers, samples)
    verify(graph)
    return changes


def block() -> tuple[Graph, dict[str, Array]]:
    """Two branches that are added, then a depthwise layer and the scores."""
    net = FloatGraph((1, 6, 6, 3))
    a = net.conv("a", net.x, 8, RELU)
    c = net.conv("c", net.conv("b", a, 12, RELU), 8)
    y = net.depthwise("y", net.add("sum", Add(RELU), a, c))
    return net.graph(net.dense("scores", y, 5)), net.samples(24)


def test_what_is_removed_and_what_is_told() -> None:
    """The two smaller of four filters, from the layer after, too."""
    net = FloatGraph((1, 4, 4, 2))
    graph = net.graph(net.conv("y", net.conv("a", net.x, 4), 3))
    weight = graph.nodes[0].inputs[1]
    assert weight.const is not None
    weight.const[...] = np.array([3, 1, 4, 2], np.float32)[:, None, None, None]
    before = copy.deepcopy(graph)
    changes = applied(PruneFilters(0.5, multiple_of=1, rounds=1), graph)
    assert [(c.layer, c.unit, c.criterion, c.effect) for c in changes] == [
        ("a", "filter 1", "l2", None), ("a", "filter 3", "l2", None),
    ]  # fmt: skip
    assert [c.score for c in changes] == pytest.approx([0.4, 0.8])  # of the mean
    assert all(c.before - c.after == 3 * 3 * 2 + 1 + 3 * 3 * 3 for c in changes)
    for i, stays in ((0, (0, 2)), (1, (0, 1, 2))):
        for new, old in zip(graph.nodes[i].inputs[1:], before.nodes[i].inputs[1:], strict=True):
            assert new.const is not None and old.const is not None
            kept = old.const[list(stays)]
            np.testing.assert_array_equal(new.const, kept if i == 0 or new.const.ndim == 1 else kept[..., [0, 2]])


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_units_keep_their_numbers_in_all_rounds(rounds: int) -> None:
    """The smallest filters, as they were counted in the network as given."""
    graph = linear(np.diag([3.0, 1, 6, 2, 5, 4]), np.ones((2, 6)))
    changes = applied(PruneNeurons(0.67, criterion="l1", multiple_of=1, rounds=rounds), graph)
    assert [c.unit for c in changes] == ["neuron 1", "neuron 3", "neuron 0", "neuron 5"]


@pytest.mark.parametrize(("multiple", "left"), [(1, 6), (2, 6), (4, 8), (7, 7), (16, 12)])
def test_what_is_left_is_a_multiple(multiple: int, left: int) -> None:
    graph, _ = block()
    applied(PruneFilters(0.5, multiple_of=multiple), graph, names=("b",))
    assert shapes(graph)["b"] == left


def test_something_is_always_left() -> None:
    graph, _ = block()
    applied(PruneFilters(0.99, multiple_of=1), graph)
    assert {shapes(graph)[n] for n in ("a", "b", "c", "sum", "y")} == {1}


def test_only_the_named_layers() -> None:
    """`c` is added to `a`, so that both go by either name."""
    for name in ("a", "c", "y"):
        graph, _ = block()
        applied(PruneFilters(0.5), graph, names=(name,))
        assert [shapes(graph)[n] for n in ("a", "b", "c", "y")] == [4, 12, 4, 4]
    graph, _ = block()
    applied(PruneFilters(0.5, multiple_of=2), graph, names=("b",))
    assert [shapes(graph)[n] for n in ("a", "b", "c", "y")] == [8, 6, 8, 8]


def test_channels_are_named_by_their_reader() -> None:
    graph, samples = block()
    (*_, fit) = applied(PruneChannels(0.5, multiple_of=2), graph, samples, names=("c",))
    assert [shapes(graph)[n] for n in ("a", "b", "c", "y")] == [8, 6, 8, 8]
    assert fit.criterion == "reconstruction"


def test_neurons_are_those_of_fully_connected_layers() -> None:
    net = FloatGraph((1, 4, 4, 3))
    hidden = net.dense("hidden", net.conv("a", net.x, 8), 8, RELU)
    graph = net.graph(net.dense("scores", hidden, 5))
    applied(PruneNeurons(0.5), graph)
    assert [shapes(graph)[n] for n in ("a", "hidden", "scores")] == [8, 4, 5]


def test_duplicates_cost_nothing() -> None:
    """Neuron 2 is neuron 0 again, with another outgoing weight; without samples, to the last bit."""
    weights, bias = [[1, 2], [3, -1], [1, 2], [-2, 5]], [1, 0, 1, 3]
    graph = dense_chain((weights, bias, RELU), ([[1, 2, 4, 8], [3, 1, -2, 7]], [1, 1], NO_CLIP))
    samples = columns(U, [3, 1, 2, -2])
    want = outputs(graph, samples)
    (change,) = applied(PruneNeurons(0.25, multiple_of=1), graph)
    assert change.unit in ("neuron 0", "neuron 2") and change.score == 0
    np.testing.assert_array_equal(outputs(graph, samples), want)


def on_grid(graph: Graph, name: str, q: ArrayLike, scales: Sequence[float]) -> None:
    """Give a fully connected layer the weights q * scale, and the promise to keep them so."""
    node = next(n for n in graph.nodes if n.output.name == name)
    grid = QuantParams(tuple(float(np.float32(s)) for s in scales), 0, DType.I8, 0)
    values = grid.dequantize(np.asarray(q))
    node.inputs[1] = replace(constant(node.inputs[1].name, values), grid=grid, encoding="int4")


@pytest.mark.parametrize(("largest", "keeps"), [(3, True), (100, False)])
def test_heirs_keep_to_the_grid(largest: int, keeps: bool) -> None:
    """Neuron 2 is neuron 0 again. Integers of both are added; 100 + 100 is more than int8 holds, which is told."""
    weights, bias = [[1, 2], [3, -1], [1, 2], [-2, 5]], [1, 0, 1, 3]
    graph = dense_chain((weights, bias, RELU), (np.zeros((2, 4)), [1, 1], NO_CLIP))
    on_grid(graph, "l1", [[largest, 2, largest, 5], [3, 1, -2, 4]], [0.1, 0.3])
    samples = columns(U, [3, 1, 2, -2])
    want = outputs(graph, samples)
    changes = applied(PruneNeurons(0.25, multiple_of=1), graph)
    np.testing.assert_allclose(outputs(graph, samples), want, rtol=1e-5)
    weight = graph.nodes[1].inputs[1]
    assert (weight.grid is not None) == keeps and weight.encoding == "int4"
    assert [c.unit for c in changes[1:]] == ([] if keeps else ["weights, off their grid: sums up to 200"])
    if weight.grid and weight.const is not None:
        merged = {(2 * largest, 3 - 2)}
        assert merged < set(zip(*weight.grid.quantize(weight.const).tolist(), strict=True))


@pytest.mark.parametrize("p", [PruneFilters(0.5), PruneChannels(0.5, criterion="l1"), PruneNeurons(0.5)])
def test_the_boundary_stays(p: Compression) -> None:
    """A layer between input and output has nothing to give: the user is told."""
    net = FloatGraph((1, 4, 4, 8))
    graph = net.graph(net.conv("y", net.x, 8)) if isinstance(p, PruneFilters | PruneChannels) else linear(np.eye(8))
    with pytest.raises(CompileError) as error:
        applied(p, graph)
    assert error.value.code == "E0206"


@pytest.mark.parametrize(
    "options", [{"amount": 1.0}, {"amount": -0.1}, {"macs": 1.5}, {"multiple_of": 0}, {"rounds": 0}]
)
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(CompileError) as error:
        PruneFilters(**options)  # type: ignore[arg-type]
    assert error.value.code == "E0701"


def test_what_others_can_say_is_made_good() -> None:
    """The third neuron is the sum of the first two, though the largest: fitted, nothing is lost."""
    graph = linear([[1, 0], [0, 1], [-1, -1]], [[1, 2, 5], [3, 4, 1]])
    samples = {"x": np.random.default_rng(0).normal(size=(60, 1, 2)).astype(np.float32)}
    want = outputs(graph, samples)
    plain = copy.deepcopy(graph)
    applied(PruneNeurons(0.4, criterion="thinet", reconstruct=False, multiple_of=1), plain, samples)
    assert np.abs(outputs(plain, samples) - want).max() > 0.5
    *_, fit = applied(PruneNeurons(0.4, criterion="thinet", multiple_of=1), graph, samples)
    assert fit.effect is not None and fit.effect < 1e-4
    np.testing.assert_allclose(outputs(graph, samples), want, atol=0.02 * np.abs(want).max())


def test_effects_are_the_squares_that_are_missing() -> None:
    """Energies 1, 16 and 4 of 21."""
    graph = linear(np.eye(3), [[1, 4, 2]])
    once = PruneNeurons(0.9, criterion="l1", reconstruct=False, multiple_of=1, rounds=1)
    changes = applied(once, graph, columns(U, V, UV))
    effects = {c.unit: c.effect for c in changes}
    want = {"neuron 0": 1 / 21, "neuron 1": 16 / 21, "neuron 2": 4 / 21}
    assert effects == pytest.approx({unit: want[unit] for unit in effects}) and len(effects) == 2


def test_fitting_helps_a_residual_block() -> None:
    graph, samples = block()
    want = outputs(graph, samples)
    errors = []
    for reconstruct in (False, True):
        pruned = copy.deepcopy(graph)
        applied(PruneFilters(0.5, reconstruct=reconstruct), pruned, samples)
        errors.append(float(np.square(outputs(pruned, samples) - want).sum()))
    assert errors[1] < 0.5 * errors[0]


def test_a_share_of_macs() -> None:
    for share in (0.1, 0.3, 0.6):
        graph, samples = block()
        before = sum(n.op.macs(n) for n in graph.nodes)
        applied(PruneFilters(macs=share, multiple_of=1), graph, samples)
        assert (1 - share - 0.15) * before < sum(n.op.macs(n) for n in graph.nodes) <= (1 - share) * before


def test_more_macs_than_there_are() -> None:
    graph, samples = small_network()
    with pytest.raises(CompileError) as error:
        applied(PruneFilters(macs=0.95, multiple_of=4), graph, samples)
    assert error.value.code == "E0206" and "remain" in error.value.what


def test_the_same_twice() -> None:
    texts = []
    for _ in range(2):
        graph, samples = block()
        applied(PruneFilters(macs=0.4, criterion="lasso", multiple_of=1), graph, samples)
        texts.append([t.const.tobytes() for t in graph.constants() if t.const is not None])
    assert texts[0] == texts[1]


def test_a_pruned_network_quantizes() -> None:
    """From the example's file to integers, on fewer channels."""
    with np.load(DIGITS / "calibration.npz") as data:
        samples = {"image": data["image"].reshape(-1, 1, 1, 28, 28)}
    whole = load(DIGITS / "digits.onnx").graph
    run_passes(whole, PASSES_BEFORE)
    pruned, macs, right = copy.deepcopy(whole), list[int](), list[float]()
    applied(PruneFilters(macs=0.25, criterion="thinet"), pruned, samples)
    with np.load(DIGITS / "test.npz") as data:
        for graph in (whole, pruned):
            quantize(graph, samples, QuantizeOptions(ranges="minmax", equalize="off", correct_bias="off"))
            macs.append(sum(n.op.macs(n) for n in graph.nodes))
            right.append(accuracy_of(graph, data["image"][:200], data["y"][:200]))
    assert macs[1] <= 0.75 * macs[0] and right[1] >= right[0] - 0.05


def test_too_few_samples_change_nothing() -> None:
    """Two samples on either side of a cross-validation do not tell what generalizes."""
    graph = linear([[1, 0], [0, 1], [-1, -1]], [[1, 2, 5], [3, 4, 1]])
    samples = columns([1, 2, 3, 4], [2, -1, 5, 0])
    plain = copy.deepcopy(graph)
    applied(PruneNeurons(0.4, criterion="thinet", reconstruct=False, multiple_of=1), plain, samples)
    applied(PruneNeurons(0.4, criterion="thinet", multiple_of=1), graph, samples)
    for fitted, left in zip(graph.constants(), plain.constants(), strict=True):
        if fitted.name.endswith("_w"):
            assert fitted.const is not None and left.const is not None
            np.testing.assert_allclose(fitted.const, left.const, rtol=0.01, atol=0.01)
