"""Which channels go together, and that removing them is the same as zeros in the layers that read them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_graphs import POINT, SAME, IntegerGraph, extreme_inputs
from removing import networks

from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Graph, QuantParams, Tensor, verify
from mcucompile.ops.add import Add
from mcucompile.ops.concat import Concat
from mcucompile.ops.pad import Pad
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.split import Split
from mcucompile.options import Options
from mcucompile.passes.channels.cut import cut
from mcucompile.passes.compress.pruning.dependencies import Family, families, masks
from mcucompile.pipeline import prepare
from mcucompile.reference import evaluate

Find = Callable[[str], Path]
QUICK = ("mlperf_kws_dscnn_int8", "mlperf_ic_resnet8_int8", "trained_har_cnn1d", "trained_lenet5")


def names(found: list[Family]) -> list[tuple[int, set[str]]]:
    return [(f.units, {t.name for t in f.of}) for f in found]


def test_a_chain_of_layers() -> None:
    """A depthwise layer goes along; the input's 3 channels and the 10 scores stay."""
    net = FloatGraph((1, 4, 4, 3))
    y = net.conv("y", net.x, 8, RELU)
    z = net.depthwise("z", y)
    graph = net.graph(net.dense("scores", z, 10))
    (found,) = families(graph)
    assert names([found]) == [(8, {"y", "z", "scores_flat"})]
    assert [n.output.name for n in found.producers] == ["y", "z"]
    assert [n.output.name for n in found.consumers] == ["scores"]
    flat = next(t for t in found.of if len(t.shape) == 2)
    assert list(found.channels(flat, 3)) == list(range(3, 128, 8))


def test_both_sides_of_a_residual_block() -> None:
    net = FloatGraph((1, 4, 4, 3))
    a = net.conv("a", net.x, 6, RELU)
    b = net.conv("b", a, 5, RELU)
    c = net.conv("c", b, 6)
    y = net.add("y", Add(), a, c)
    graph = net.graph(net.conv("out", y, 2))
    assert names(families(graph)) == [(6, {"a", "c", "y"}), (5, {"b"})]


def test_a_concatenation_has_families_of_its_parts() -> None:
    net = FloatGraph((1, 4, 4, 3))
    a, b = net.conv("a", net.x, 6), net.conv("b", net.x, 4)
    graph = net.graph(net.conv("out", net.add("y", Concat(3), a, b), 2))
    first, second = families(graph)
    assert names([first, second]) == [(6, {"a", "y"}), (4, {"b", "y"})]
    assert list(second.channels(graph.nodes[2].output, 1)) == [7]


def test_a_group_is_one_unit() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 6)
    graph = g.graph(g.conv(g.conv(a, 9, SAME, groups=3), 2))
    (found,) = families(graph)
    assert found.units == 3 and list(found.channels(graph.nodes[1].output, 2)) == [6, 7, 8]


@pytest.mark.parametrize("end", ["output", "softmax", "add"])
def test_the_boundary_keeps_its_channels(end: str) -> None:
    """Of what enters, leaves, or is linked by an Add to what leaves."""
    net = FloatGraph((1, 4, 4, 3))
    a = net.conv("a", net.x, 6)
    read = net.conv("read", a, 2)
    if end == "output":
        graph = net.graph(read, a)
    elif end == "softmax":
        graph = net.graph(net.conv("p", net.add("s", Softmax(3), a), 2))
    else:
        graph = net.graph(read, net.add("y", Add(), a, net.conv("b", net.x, 6)))
    assert families(graph) == []


def test_channels_that_are_padded_to_those_of_a_sum() -> None:
    """The 4 that padding adds are filters of the other operand alone."""
    net = FloatGraph((1, 4, 4, 3))
    a = net.conv("a", net.x, 6)
    padded = net.add("p", Pad((0,) * 4, (0, 0, 0, 4)), a)
    graph = net.graph(net.conv("out", net.add("y", Add(), padded, net.conv("b", net.x, 10)), 2))
    assert names(families(graph)) == [(6, {"a", "p", "b", "y"}), (4, {"p", "b", "y"})]


def random_units(found: list[Family], rng: np.random.Generator) -> list[list[int]]:
    """Of each family some, never all; of some families none."""
    counts = [int(rng.integers(0, f.units)) if rng.random() < 0.8 else 0 for f in found]
    return [sorted(map(int, rng.permutation(f.units)[:n])) for f, n in zip(found, counts, strict=True)]


def with_zeros(graph: Graph, removed: list[list[int]]) -> Graph:
    """The network as it is, but for zero weights where the units' channels are read."""
    result = copy.deepcopy(graph)
    for family, units in zip(families(result), removed, strict=True):
        for node in family.consumers:
            weight = node.inputs[1]
            assert weight.const is not None
            values = weight.const.copy()
            for unit in units:
                values[..., family.channels(node.inputs[0], unit)] = 0
            node.inputs[1] = replace(weight, const=values)
    return result


def without(graph: Graph, removed: list[list[int]]) -> Graph:
    result = copy.deepcopy(graph)
    cut(result, masks(result, zip(families(result), removed, strict=True)))
    verify(result)
    return result


def assert_removal_is_zeroing(graph: Graph, seed: int = 0, inputs: int = 4) -> int:
    """Bit for bit on integers, whatever is removed; how many units there are."""
    found = families(graph)
    removed = random_units(found, np.random.default_rng(seed))
    zeroed, smaller = with_zeros(graph, removed), without(graph, removed)
    for values in extreme_inputs(graph, inputs):
        wanted, got = evaluate(zeroed, values), evaluate(smaller, values)
        for t in graph.outputs:
            if t.dtype.is_integer:
                np.testing.assert_array_equal(got[t.name], wanted[t.name], err_msg=t.name)
            else:
                np.testing.assert_allclose(got[t.name], wanted[t.name], rtol=1e-4, atol=1e-4)
    return sum(f.units for f in found)


@settings(max_examples=100, deadline=None)
@given(networks(), st.integers(0, 1 << 30))
def test_removal_is_zeroing_in_random_networks(graph: Graph, seed: int) -> None:
    assert_removal_is_zeroing(graph, seed)


def test_removal_is_zeroing_through_what_random_networks_lack() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 8)
    b, c = g.adds(Split(3, (5, 3)), a)
    d = g.add(Pad((0, 1, 0, 1), (0, 0, 0, 1)), c)
    e = g.add(Reshape((1, 4, 2, 10)), g.add(Add(), b, g.conv(b, 5, SAME)))
    graph = g.graph(g.conv(d, 2), g.conv(e, 3, POINT))
    for seed in range(8):
        assert assert_removal_is_zeroing(graph, seed) >= 8


def integer_graph(path: Path) -> Graph:
    """As it will be compiled, with scales from random inputs where the file has none."""
    imported = load(path, {}).graph
    samples = None
    if not any(t.quant for t in imported.activations()):
        rng = np.random.default_rng(0)
        samples = Samples({t.name: rng.standard_normal((2, *t.shape)).astype(np.float32) for t in imported.inputs})
    return prepare(path, "net", Options(), samples).twin


@pytest.mark.parametrize("name", QUICK)
def test_removal_is_zeroing_in_real_networks(shared_model: Find, name: str) -> None:
    assert assert_removal_is_zeroing(integer_graph(shared_model(name)), inputs=3) > 0


@pytest.mark.long
def test_removal_is_zeroing_in_every_real_network(shared_model: Find) -> None:
    """All that can be imported; each has something to remove."""
    tried = 0
    for path in sorted(shared_model(QUICK[0]).parent.glob("*.onnx")):
        try:
            graph = integer_graph(path)
        except CompileError as e:
            if e.code != "E0103":
                raise
            continue
        tried += 1
        for seed in range(2):
            assert assert_removal_is_zeroing(graph, seed, inputs=3) > 0, path
    assert tried >= 20


def test_scales_of_a_grid_go_with_their_filters() -> None:
    net = FloatGraph((1, 4, 4, 3))
    a = net.conv("a", net.x, 4)
    graph = net.graph(net.conv("out", a, 2))
    grid = QuantParams((0.5, 0.25, 1.0, 2.0), axis=0)
    weight = graph.nodes[0].inputs[1]
    integers = np.random.default_rng(0).integers(-7, 8, weight.shape).astype(np.int8)
    graph.nodes[0].inputs[1] = Tensor("w", weight.shape, const=grid.dequantize(integers), grid=grid)
    verify(graph)
    smaller = without(graph, [[1, 2]])
    assert smaller.nodes[0].inputs[1].grid == QuantParams((0.5, 2.0), axis=0)
