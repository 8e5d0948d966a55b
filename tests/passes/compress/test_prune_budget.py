"""How much each layer gives: shares, multiples, MACs, and the scan that decides among layers."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph
from hypothesis import given, settings
from hypothesis import strategies as st
from networks_by_hand import linear, only_family, shapes

from mcucompile.ir import Array, Graph
from mcucompile.ops.add import Add
from mcucompile.passes.channels.cut import cut
from mcucompile.passes.compress.pruning.budget import aligned, by_macs, remaining_macs
from mcucompile.passes.compress.pruning.criteria import Ranking
from mcucompile.passes.compress.pruning.dependencies import Family, families, masks
from mcucompile.passes.compress.pruning.evidence import Evidence
from mcucompile.passes.compress.pruning.probe import Probe
from mcucompile.passes.compress.pruning.refit import without_units
from mcucompile.passes.compress.pruning.sensitivity import Sensitivity, scan, sensitivity


def hadamard(order: int) -> Array:
    """Rows and columns of +-1, each independent of all others."""
    result = np.ones((1, 1))
    while len(result) < order:
        result = np.block([[result, result], [result, -result]])
    return result


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 9))
def test_aligned(units: int, removed: int, multiple: int) -> None:
    left = units - aligned(units, removed, multiple)
    assert 1 <= left <= units and (left == units or left % multiple == 0)
    assert left >= min(units, units - removed) and left - max(units - removed, 1) < multiple


def independent_units() -> tuple[Graph, dict[str, Array]]:
    """y = the sum of eight neurons, each of which makes up an eighth of its variance, on either half of the samples."""
    samples = np.repeat(hadamard(16)[:, 1:9], 2, axis=0).astype(np.float32)
    return linear(np.eye(8), np.ones((1, 8))), {"x": samples[:, None, :]}


def test_a_scan_by_hand() -> None:
    """Without a share of independent units that share of the variance is lost, and no fit can bring it back."""
    graph, samples = independent_units()
    family, ranking = only_family(graph), Ranking(np.arange(8), np.zeros(8))
    for refits in (False, True):
        found = sensitivity(family, ranking, Evidence(graph, samples), refits)
        np.testing.assert_allclose(found.errors, found.amounts, rtol=0.01)
        assert (found.layer, found.units) == ("l0", 8)
        assert found.error(0) == 0 and found.error(3) == pytest.approx(3 / 8, rel=0.01)


def test_a_scan_of_all_layers() -> None:
    graph, samples = independent_units()
    (found,) = scan(graph, samples, "l1")
    assert found == sensitivity(only_family(graph), Ranking(np.arange(8), np.zeros(8)), Evidence(graph, samples), True)


def test_errors_never_fall_with_what_goes() -> None:
    curve = Sensitivity("a", (), 8, (0.25, 0.5, 0.75), (0.3, 0.1, 0.5))
    assert [curve.error(n) for n in (0, 1, 2, 4, 5, 6, 8)] == pytest.approx([0, 0.15, 0.3, 0.3, 0.4, 0.5, 0.5])


def test_a_probe_is_a_run_of_the_whole_network() -> None:
    net = FloatGraph((1, 6, 6, 3))
    a = net.conv("a", net.x, 8, RELU)
    y = net.add("sum", Add(RELU), a, net.conv("c", net.conv("b", a, 6, RELU), 8))
    graph, samples = net.graph(net.dense("scores", y, 5)), net.samples(20)
    probe = Probe(graph, samples)
    for family in families(graph):
        changed = without_units(family, np.array([0, 2]))
        whole = copy.copy(graph)
        whole.nodes = [replace(n, inputs=[n.inputs[0], *changed.get(n, n.inputs[1:])]) for n in graph.nodes]
        want = Probe(whole, samples).unchanged
        np.testing.assert_allclose(probe.outputs(changed)[0], want[0], rtol=1e-5, atol=1e-6)
        assert probe.error(changed) > 0
    assert probe.error({}) == 0


def network() -> Graph:
    """A residual block with a depthwise layer, and scores."""
    net = FloatGraph((1, 8, 8, 3))
    a = net.conv("a", net.x, 12, RELU)
    b = net.depthwise("b", net.conv("s", a, 12, RELU))
    y = net.add("sum", Add(), a, net.conv("c", b, 12))
    return net.graph(net.dense("scores", y, 5))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_macs_are_those_of_the_network_that_is_left(data: st.DataObject) -> None:
    graph = network()
    found = families(graph)
    counts = {f: data.draw(st.integers(0, f.units - 1)) for f in found}
    expected = remaining_macs(graph, counts)
    cut(graph, masks(graph, [(f, list(range(n))) for f, n in counts.items()]))
    assert expected == pytest.approx(sum(n.op.macs(n) for n in graph.nodes))


def curves(found: list[Family], slopes: list[float]) -> dict[Family, Sensitivity]:
    return {f: Sensitivity("", (), f.units, (1.0,), (s,)) for f, s in zip(found, slopes, strict=True)}


def test_the_layer_that_bears_most_gives_most() -> None:
    graph = network()
    first, second = found = families(graph)
    for slopes, hard in (([1.0, 1e-6], first), ([1e-6, 1.0], second)):
        counts = by_macs(graph, found, curves(found, slopes), 0.7 * remaining_macs(graph, {}), 1)
        assert remaining_macs(graph, counts) <= 0.7 * remaining_macs(graph, {})
        assert counts[hard] < counts[second if hard is first else first]


def test_no_step_is_superfluous() -> None:
    """Neurons go first, for nothing; when they do not do, one filter does more than is left to do."""
    net = FloatGraph((1, 8, 8, 3))
    hidden = net.dense("hidden", net.conv("b", net.conv("a", net.x, 4), 4), 12)
    graph = net.graph(net.dense("scores", hidden, 5))
    found = families(graph)
    limit = 0.75 * remaining_macs(graph, {})
    counts = by_macs(graph, found, curves(found, [1e-3, 1.0, 1e-9]), limit, 1)
    a, b, neurons = (counts[f] for f in found)
    per_filter, per_neuron = 64 * 27 + 64 * 36, 256 + 5
    missing = 0.25 * remaining_macs(graph, {}) - per_filter
    assert (a, b, neurons) == (1, 0, -(-missing // per_neuron))


def test_multiples_are_kept_on_the_way() -> None:
    graph = network()
    found = families(graph)
    counts = by_macs(graph, found, curves(found, [1.0, 1.0]), 0.5 * remaining_macs(graph, {}), 4)
    cut(graph, masks(graph, [(f, list(range(n))) for f, n in counts.items()]))
    assert all(shapes(graph)[name] % 4 == 0 for name in ("a", "s", "b", "c"))
