"""Pruning of single weights, blocks and N of M: which weights become zero, and what that does to the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph, small_network

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Graph, constant, verify
from mcucompile.ops.dense import Dense
from mcucompile.passes.calibrate import runner
from mcucompile.passes.compress import Change, Compression
from mcucompile.passes.compress.prune_blocks import PruneBlocks
from mcucompile.passes.compress.prune_nm import PruneNm
from mcucompile.passes.compress.prune_weights import PruneWeights
from mcucompile.passes.quantize import QuantizeOptions, quantize

Samples = dict[str, Array]


def weight(graph: Graph, name: str) -> Array:
    (node,) = [n for n in graph.nodes if n.output.name == name]
    values = node.inputs[1].const
    assert values is not None
    return values


def apply(p: Compression, graph: Graph, samples: Samples | None, names: Sequence[str] = ()) -> tuple[Change, ...]:
    layers = [n for n in graph.nodes if p.takes(n) and (not names or n.output.name in names)]
    changes = p.apply(graph, layers, samples)
    verify(graph)
    return changes


def scores(graph: Graph, samples: Samples) -> Array:
    return runner(graph, samples).outputs(samples)[graph.outputs[0]]


def network(seed: int = 0) -> tuple[Graph, Samples]:
    """Convolutions of 7 channels over 6 and of 8 over 7, fully connected of 6 over 200; correlated inputs."""
    net = FloatGraph((1, 5, 5, 6), seed)
    a = net.conv("a", net.x, 7, RELU)
    b = net.conv("b", a, 8, RELU)
    graph = net.graph(net.dense("c", b, 6))
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(60, 5, 5, 6)) @ rng.normal(size=(6, 6)) + 1.0
    return graph, {"x": mixed[:, None].astype(np.float32)}


@pytest.mark.parametrize("criterion", ["magnitude", "obd", "obs"])
def test_share_of_zeros(criterion: str) -> None:
    graph, samples = network()
    changes = apply(PruneWeights(0.75, criterion), graph, samples)  # type: ignore[arg-type]
    for c in changes:
        values = weight(graph, c.layer)
        assert np.count_nonzero(values) == c.after == round(0.25 * values.size)
        assert c.before == values.size and c.criterion == criterion and c.effect is not None


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("amount", [0.9, 0.97])
def test_making_up_for_earlier_layers_is_no_error(amount: float, seed: int) -> None:
    """What is fitted under a Hessian is never worse than no weights at all, which have an effect of 1."""
    graph, samples = network(seed)
    changes = apply(PruneWeights(amount, "obs"), graph, samples)
    assert all(c.effect is not None and 0 < c.effect < 1 for c in changes)


def test_magnitude_by_hand_without_samples() -> None:
    graph, _ = network()
    before = {n: weight(graph, n) for n in "abc"}
    biases = [n.inputs[2] for n in graph.nodes if n.op.name != "reshape"]
    (change,) = apply(PruneWeights(0.5, "magnitude"), graph, None, ["a"])
    order = np.sort(np.abs(before["a"]), axis=None)
    limit = order[order.size // 2]
    np.testing.assert_array_equal(weight(graph, "a"), np.where(np.abs(before["a"]) >= limit, before["a"], 0))
    assert change.effect is None and change.score == pytest.approx(order[order.size // 2 - 1] ** 2)
    assert weight(graph, "b") is before["b"]
    assert [n.inputs[2] for n in graph.nodes if n.op.name != "reshape"] == biases


def test_criteria_that_move_weights_lose_less() -> None:
    """Half of all weights go; obs without its samples would have no better choice than magnitude."""
    noise = {}
    for criterion in ("magnitude", "obs"):
        graph, samples = network(3)
        want = scores(graph, samples)
        apply(PruneWeights(0.5, criterion), graph, samples)  # type: ignore[arg-type]
        noise[criterion] = float(np.square(scores(graph, samples) - want).sum())
    assert noise["obs"] < 0.3 * noise["magnitude"]


def test_bias_keeps_the_mean() -> None:
    graph, samples = network(1)
    want = scores(graph, samples).mean(axis=0)
    before = scores(graph, samples).std()
    apply(PruneWeights(0.8, "magnitude"), graph, samples, ["c"])
    np.testing.assert_allclose(scores(graph, samples).mean(axis=0), want, atol=1e-4 * before)


def test_effect_is_the_error_of_the_layer_alone() -> None:
    """Relative to the variance of its output over the samples, measured by running the network."""
    graph, samples = network(2)
    want = scores(graph, samples)
    (change,) = apply(PruneWeights(0.6), graph, samples, ["c"])
    noise = np.square(scores(graph, samples) - want).sum() / np.square(want - want.mean(axis=0)).sum()
    assert change.effect == pytest.approx(noise, rel=1e-3)


def test_layers_of_a_global_budget_compete() -> None:
    """By magnitude relative to the layer: a's weights are 1, b's one 10 and others 0.1 of its reach."""
    net = FloatGraph((1, 10))
    graph = net.graph(net.dense("b", net.dense("a", net.x, 10), 10))
    a, b = weight(graph, "a"), weight(graph, "b")
    a[:] = 1.0
    b[:] = 0.1
    b[:, :5] = 10.0
    apply(PruneWeights(0.25, "magnitude", "global"), graph, None)
    assert np.count_nonzero(weight(graph, "a")) == 100
    np.testing.assert_array_equal(weight(graph, "b") == 0, b == np.float32(0.1))


def test_no_layer_of_a_global_budget_is_emptied() -> None:
    net = FloatGraph((1, 10))
    graph = net.graph(net.dense("b", net.dense("a", net.x, 20), 10))
    weight(graph, "a")[0, 0] = 1000.0
    apply(PruneWeights(0.99, "magnitude", "global"), graph, None)
    assert [np.count_nonzero(weight(graph, n)) for n in "ab"] == [2, 2]


@pytest.mark.parametrize(("keep", "of"), [(1, 4), (2, 4), (3, 8)])
@pytest.mark.parametrize("criterion", ["magnitude", "obs"])
def test_n_of_m_along_the_input_channels(keep: int, of: int, criterion: str) -> None:
    """6, 7 and 200 channels: the last set of a place in the window has fewer."""
    graph, samples = network()
    apply(PruneNm(keep, of, criterion), graph, samples)  # type: ignore[arg-type]
    for name in "abc":
        values = weight(graph, name)
        for start in range(0, values.shape[-1], of):
            part = values[..., start : start + of]
            np.testing.assert_array_equal(np.count_nonzero(part, axis=-1), min(keep, part.shape[-1]))


def test_n_of_m_by_hand() -> None:
    net = FloatGraph((1, 4))
    graph = net.graph(net.dense("a", net.x, 2))
    weight(graph, "a")[:] = [[1, -4, 3, 2], [0.5, 0.1, -0.2, 0.3]]
    apply(PruneNm(2, 4, "magnitude"), graph, None)
    np.testing.assert_array_equal(weight(graph, "a"), np.float32([[0, -4, 3, 0], [0.5, 0, 0, 0.3]]))


@pytest.mark.parametrize("shared", [1, 4])
def test_blocks_of_four_in_shared_patterns(shared: int) -> None:
    """Of 7 channels (a) in fours the last 3 share alone; of 6 input channels the last block has 2."""
    graph, samples = network()
    changes = apply(PruneBlocks(0.5, shared), graph, samples)
    for name in "abc":
        values = weight(graph, name)
        outputs, inputs = values.shape[0], values.shape[-1]
        zero = np.stack([(values[..., s : s + 4] == 0).all(axis=-1) for s in range(0, inputs, 4)], axis=-1)
        used = np.stack([(values[..., s : s + 4] != 0).all(axis=-1) for s in range(0, inputs, 4)], axis=-1)
        assert np.all(zero | used)
        for start in range(0, outputs, shared):
            assert np.all(zero[start : start + shared] == zero[start])
        firsts = zero[::shared]
        assert firsts.sum() == firsts.size - round(0.5 * firsts.size)
    assert [c.after for c in changes] == [np.count_nonzero(weight(graph, n)) for n in "abc"]


def test_depthwise_layers_have_no_blocks_and_no_sets() -> None:
    graph, samples = small_network()
    depthwise = graph.nodes[1]
    assert not PruneBlocks.takes(depthwise) and not PruneNm.takes(depthwise) and PruneWeights.takes(depthwise)
    apply(PruneWeights(0.5), graph, samples, ["z"])
    assert np.count_nonzero(weight(graph, "z")) == 36


def test_zeros_survive_quantization() -> None:
    graph, samples = network()
    apply(PruneWeights(0.9), graph, samples)
    zero = {n: weight(graph, n) == 0 for n in "abc"}
    quantize(graph, samples, QuantizeOptions(ranges="minmax", equalize="on"))
    for name, where in zero.items():
        assert not weight(graph, name)[where].any()


def test_same_input_same_weights_and_old_ones_untouched() -> None:
    results = []
    for _ in range(2):
        graph, samples = network()
        old = [weight(graph, n) for n in "abc"]
        kept = [w.copy() for w in old]
        apply(PruneWeights(0.5, scope="global"), graph, samples)
        for a, b in zip(old, kept, strict=True):
            np.testing.assert_array_equal(a, b)
        results.append([weight(graph, n) for n in "abc"])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_of_two_readers_of_a_constant() -> None:
    net = FloatGraph((1, 4))
    a = net.dense("a", net.x, 4)
    first = net.nodes[-1].inputs
    b = net.add("b", Dense(), a, first[1], first[2])
    graph, before = net.graph(b), first[1].const
    apply(PruneWeights(0.5, "magnitude"), graph, net.samples(3), ["b"])
    assert weight(graph, "a") is before
    assert np.count_nonzero(weight(graph, "b")) == 8


@pytest.mark.parametrize("p", [PruneWeights(0.5), PruneWeights(0.5, "obd"), PruneBlocks(0.5), PruneNm()])
def test_samples_are_needed(p: Compression) -> None:
    graph, _ = network()
    with pytest.raises(CompileError) as caught:
        apply(p, graph, None)
    assert caught.value.code == "E0201" and "criterion:magnitude" in caught.value.fix


@pytest.mark.parametrize("count", [1, 2])
def test_very_few_samples(count: int) -> None:
    """Nothing is known of most inputs then: weights are finite, and still a share of zeros."""
    graph, samples = network()
    apply(PruneWeights(0.5), graph, {"x": samples["x"][:count]})
    for name in "abc":
        values = weight(graph, name)
        assert np.isfinite(values).all() and np.count_nonzero(values) == round(0.5 * values.size)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PruneWeights(1.0),
        lambda: PruneWeights(-0.1),
        lambda: PruneWeights(0.5, damping=0.0),
        lambda: PruneWeights(0.5, damping=float("nan")),
        lambda: PruneBlocks(0.5, 0),
        lambda: PruneBlocks(0.5, damping=-1.0),
        lambda: PruneNm(5, 4),
        lambda: PruneNm(0, 4),
        lambda: PruneNm(damping=0.0),
    ],
)
def test_options_out_of_range(wrong: Callable[[], Compression]) -> None:
    with pytest.raises(CompileError) as caught:
        wrong()
    assert caught.value.code == "E0701"


def test_layers_compete_by_their_share_not_by_their_scale() -> None:
    """A layer in other units, 128 times as large, keeps as many weights."""
    counts = []
    for factor in (1, 128):
        graph, _ = small_network()
        first = graph.nodes[0]
        assert first.inputs[1].const is not None
        first.inputs[1] = constant("scaled", first.inputs[1].const * np.float32(factor))
        layers = [n for n in graph.nodes if PruneWeights.takes(n)]
        PruneWeights(0.5, criterion="magnitude", scope="global").apply(graph, layers, None)
        counts.append([int(np.count_nonzero(n.inputs[1].const)) for n in layers])
    assert counts[0] == counts[1]
