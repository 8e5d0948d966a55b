"""Channels that never matter go, all others stay, and no bit of any output changes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from integer_graphs import POINT, RELU, RELU6, SAME, IntegerGraph, Q, assert_same_bits, shapes
from removing import constant_five, networks, removed, stays

from mcucompile.frontend.export import to_onnx
from mcucompile.ir import DType, Graph, Numerics, QuantParams, graph_text, verify
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.window import Window
from mcucompile.options import Options
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.remove_channels import Removal, remove_channels
from mcucompile.pipeline import prepare
from mcucompile.report import pass_json
from mcucompile.show import removed_text


def test_a_filter_of_zeros() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    y = g.conv(g.conv(x, 5, clip=RELU, zero=[1, 3]), 2)
    graph = g.graph(y)
    weights = graph.nodes[0].inputs[1].const
    assert weights is not None
    first, second = removed(graph)
    assert first == Removal("t0", ("t0",), 2, 2, 0, 0, 0, 2 * 3 * 16, 6)
    assert second == Removal("t1", ("t1",), 0, 0, 0, 0, 2, 2 * 2 * 16, 4)
    assert shapes(graph) == {"x0": (1, 4, 4, 3), "t0": (1, 4, 4, 3), "t1": (1, 4, 4, 2)}
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].const, weights[[0, 2, 4]])
    assert len(graph.nodes[0].inputs[1].quant.scales) == 3  # type: ignore[union-attr]


def test_what_a_constant_adds_goes_into_the_bias() -> None:
    """By hand: bias 300 * (0.05 * 0.002) = 0.03 real, 3 steps of 0.01: stored -125, centred 3; 3 * 7 joins the bias."""
    g = IntegerGraph()
    weights = np.array([[[[0]]], [[[5]]]])
    fine = QuantParams.per_tensor(0.01, -128)
    a = g.layer(Conv2d(POINT, clip=RELU), g.input(1, 2, 2, 1), weights, np.array([300, 0]), fine, np.full(2, 0.002))
    y = g.layer(Conv2d(POINT), a, np.array([[[[7, 9]]]]), np.array([100]))
    graph = g.graph(y)
    removed(graph)
    np.testing.assert_array_equal(graph.nodes[1].inputs[1].const, [[[[9]]]])
    np.testing.assert_array_equal(graph.nodes[1].inputs[2].const, [100 + 3 * 7])


def test_always_below_a_relu() -> None:
    g = IntegerGraph()
    graph = g.graph(g.conv(g.conv(g.input(1, 5, 5, 4), 6, SAME, RELU, dead=[0, 5]), 3, SAME))
    first, _ = removed(graph)
    assert (first.channels, first.constant) == (2, 2)


def test_always_above_the_upper_limit() -> None:
    g = IntegerGraph()
    bias = np.array([1 << 24, 0, 0])
    graph = g.graph(g.conv(g.conv(g.input(1, 5, 5, 4), 3, SAME, RELU6, bias=bias), 3))
    assert removed(graph)[0].constant == 1


def test_just_not_always_below() -> None:
    """100 * (q - 5) reaches 12,200; half an output step is 0.25 / (0.02 * 0.01) = 1,250, but for the factor's bits."""
    results = []
    for bias in (1249 - 12200, 1251 - 12200):
        g = IntegerGraph()
        x = g.input(1, 1, 1, 1, quant=QuantParams.per_tensor(0.02, 5))
        weights = np.array([[[[100]]], [[[100]]]])
        coarse = QuantParams.per_tensor(0.5, -128)
        a = g.layer(Conv2d(POINT, clip=RELU), x, weights, np.array([bias, 0]), coarse, np.full(2, 0.01))
        results.append([r.channels for r in removed(g.graph(g.conv(a, 2)))])
    assert results == [[1, 0], []]


def test_constants_spread() -> None:
    """A channel that reads constant channels alone is constant; the zero of the first layer ends in the last bias."""
    g = IntegerGraph()
    a = g.conv(g.input(1, 3, 3, 2), 3, clip=RELU, zero=[0, 2])
    weights = g.weights(4, 1, 1, 3)
    weights[2, ..., 1] = 0
    b = g.layer(Conv2d(POINT), a, weights, g.bias(4))
    graph = g.graph(g.conv(b, 2))
    removed(graph)
    assert shapes(graph)["t0"] == (1, 3, 3, 1) and shapes(graph)["t1"] == (1, 3, 3, 3)


def test_nobody_reads() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 5)
    graph = g.graph(g.conv(a, 3, SAME, blind=[0, 4]))
    first, second = removed(graph)
    assert (first.channels, first.unread, second.inputs) == (2, 2, 2)


def test_read_by_another() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 5)
    assert stays(g.graph(g.conv(a, 3, blind=[0, 4]), g.conv(a, 3)))


def test_read_by_channels_that_go_themselves() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 2), 3)
    weights = g.weights(4, 1, 1, 3)
    weights[:3, ..., 1] = 0
    b = g.layer(Conv2d(POINT), a, weights, g.bias(4))
    graph = g.graph(g.conv(b, 2, blind=[3]))
    removed(graph)
    assert shapes(graph)["t0"][3] == 2 and shapes(graph)["t1"][3] == 3


def test_the_boundary_stays() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    assert stays(g.graph(g.conv(x, 4, clip=RELU, zero=[1], dead=[2], blind=[0])))


def test_an_output_that_is_read_too_stays() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 4, clip=RELU, zero=[1])
    assert stays(g.graph(a, g.conv(a, 2)))


# --- padding


@pytest.mark.parametrize(("window", "goes"), [(POINT, True), (Window((3, 3)), True), (SAME, False)])
def test_a_constant_other_than_zero_before_padding_stays(window: Window, goes: bool) -> None:
    g = IntegerGraph()
    graph = g.graph(g.conv(constant_five(g), 2, window))
    assert bool(removed(graph)) == goes


def test_a_constant_of_zero_before_padding_goes() -> None:
    g = IntegerGraph()
    graph = g.graph(g.conv(g.conv(g.input(1, 6, 6, 2), 3, clip=RELU, dead=[1]), 2, SAME))
    assert removed(graph)[0].channels == 1


def test_weights_that_cancel_in_every_window_hide_the_border() -> None:
    """1 above and -1 below of a window of two rows, of which padding never takes one alone."""
    for pads, goes in (((0, 1, 0, 1), True), ((1, 0, 1, 0), False)):
        g = IntegerGraph()
        a = constant_five(g)
        weights = g.weights(2, 2, 1, 3)
        weights[..., 1] = [[[1], [-1]], [[4], [-4]]]
        graph = g.graph(g.layer(Conv2d(Window((2, 1), pads=pads)), a, weights, g.bias(2)))
        assert bool(removed(graph)) == goes


def test_a_constant_that_differs_at_the_border_stays() -> None:
    """A depthwise layer makes a pattern of its constant input: five at the border is not five inside."""
    for window, goes in ((SAME, False), (Window((3, 3)), True)):
        g = IntegerGraph()
        graph = g.graph(g.conv(g.depthwise(constant_five(g), window), 2))
        assert bool(removed(graph)) == goes


def test_the_constant_of_a_padded_layer_that_clips_goes() -> None:
    g = IntegerGraph()
    graph = g.graph(g.conv(g.depthwise(constant_five(g), clip=RELU, dead=[1]), 2))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t1"][3] == 2


# --- the rest


def test_one_channel_is_left_of_a_tensor_that_is_constant() -> None:
    g = IntegerGraph()
    a = g.conv(g.input(1, 4, 4, 3), 4, clip=RELU, dead=[0, 1, 2, 3])
    graph = g.graph(g.conv(g.depthwise(a), 2))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t1"][3] == 1


def test_multipliers_are_those_of_the_whole_layer() -> None:
    """The filter that goes has the scale that sets the layer's shift: a shorter one would round otherwise."""
    g = IntegerGraph()
    weights = g.weights(3, 1, 1, 2)
    weights[0] = 0
    scales = np.array([0.9, 0.003, 0.004])
    a = g.layer(Conv2d(POINT, clip=RELU), g.input(1, 4, 4, 2), weights, g.bias(3), Q, scales)
    graph = g.graph(g.conv(a, 2))
    fixed = graph.nodes[0].op
    assert isinstance(fixed, Conv2d) and fixed.requant and fixed.requant.shift
    removed(graph)
    op = graph.nodes[0].op
    assert isinstance(op, Conv2d) and op.requant
    assert op.requant.multipliers == fixed.requant.multipliers[1:] and op.requant.shift == fixed.requant.shift
    FixMultipliers().run(graph)
    assert graph.nodes[0].op != op, "this test needs a layer whose own multipliers would be others"


def test_two_layers_with_the_same_weights_part() -> None:
    g = IntegerGraph()
    x = g.input(1, 4, 4, 3)
    a, b = g.conv(x, 4, clip=RELU, dead=[1]), g.conv(x, 4, clip=RELU, dead=[3])
    y, z = g.conv(a, 2), g.conv(b, 2)
    graph = g.graph(y, z)
    graph.nodes[3].inputs[1:] = graph.nodes[2].inputs[1:]
    removed(graph)
    assert len({t.name for t in graph.constants()}) == len(graph.constants()) == 8


@pytest.mark.parametrize("numerics", Numerics)
def test_sixteen_bits(numerics: Numerics) -> None:
    g = IntegerGraph(numerics)
    wide = QuantParams.per_tensor(0.001, 0, DType.I16)
    bias = np.array([5, -(1 << 30), 7, 9, -(1 << 30)])
    a = g.conv(g.input(1, 5, 5, 3, quant=wide), 5, SAME, RELU, wide, zero=[1], bias=bias)
    graph = g.graph(g.conv(g.depthwise(a, quant=wide), 2, quant=wide, blind=[0]))
    removed(graph)
    assert shapes(graph)["t0"][3] == shapes(graph)["t1"][3] == 2


def test_a_bias_that_would_not_fit_its_type() -> None:
    """int16 sums may have a bias of 32 bits, and the sum more."""
    g = IntegerGraph()
    wide = QuantParams.per_tensor(0.001, 0, DType.I16)
    weights = np.array([[0], [3]])
    g.layer(Dense(), g.input(1, 1, quant=wide), weights, np.array([1 << 30, 0]), wide)
    for bias, goes in ((0, True), ((1 << 31) - 1, False)):
        h = copy.deepcopy(g)
        x = h.nodes[0].output
        graph = h.graph(h.layer(Dense(), x, np.array([[127, 1]]), np.array([bias]), wide))
        assert bool(removed(graph)) == goes


VWW = "mlperf_vww_mbv1_025_int8"
UNTOUCHED = ("mlperf_kws_dscnn_int8", "mlperf_ic_resnet8_int8", "mlperf_ad_autoenc_int8", "mlperf_strww_int8")
SOME = ("tflm_person_detect_int8", "tflm_hello_world_int8", "mcunet_det_person_int8")
Find = Callable[[str], Path]


@pytest.mark.parametrize("numerics", Numerics)
def test_a_mobilenet_of_which_half_is_zero(shared_model: Find, numerics: Numerics) -> None:
    prepared = prepare(shared_model(VWW), "vww", Options(numerics=numerics), None)
    graph = prepared.graph
    assert_same_bits(prepared.twin, graph)
    assert sum(n.op.macs(n) for n in graph.nodes) <= 3_730_000
    assert sum(n.inputs[1].size for n in graph.nodes if len(n.inputs) == 3) <= 29_100


@pytest.mark.parametrize("name", [*UNTOUCHED, *SOME])
def test_other_real_networks(shared_model: Find, name: str) -> None:
    prepared = prepare(shared_model(name), "net", Options(), None)
    assert_same_bits(prepared.twin, prepared.graph)
    assert (graph_text(prepared.graph) == graph_text(prepared.twin)) == (name in UNTOUCHED)


def test_the_twin_gives_the_same_network(shared_model: Find) -> None:
    prepared = prepare(shared_model(VWW), "vww", Options(), None)
    again = prepare(to_onnx(prepared.twin), "vww", Options(), None)
    assert graph_text(again.graph) == graph_text(prepared.graph)
    assert graph_text(again.twin) == graph_text(prepared.twin)


def test_the_report_tells_what_went(shared_model: Find) -> None:
    prepared = prepare(shared_model(VWW), "vww", Options(), None)
    (entry,) = [pass_json(r) for r in prepared.records if r.name == "remove_channels"]
    assert entry["exact"] and entry["changes"] == len(entry["details"]) == 18
    assert sum(d["macs"] for d in entry["details"]) == 7_489_664 - sum(n.op.macs(n) for n in prepared.graph.nodes)
    assert all(d["channels"] == d["zero_filters"] + d["constant"] + d["unread"] for d in entry["details"])


def test_what_went_is_shown(shared_model: Find) -> None:
    """All of a MobileNet's layers in one sentence; nothing of a network that lost nothing."""
    prepared = prepare(shared_model(VWW), "vww", Options(), None)
    text = removed_text([pass_json(r) for r in prepared.records])
    assert "1,724 channels" in text and "3,762,351 MACs" in text and "179,046 weights" in text
    assert removed_text([pass_json(r) for r in prepared.records if r.name != "remove_channels"]) == ""


@settings(max_examples=150, deadline=None)
@given(networks())
def test_no_bit_of_any_network_changes(graph: Graph) -> None:
    """Nor does a second run change one: it may find more, where one group is left of several."""
    before = copy.deepcopy(graph)
    for _ in range(2):
        remove_channels(graph)
        verify(graph)
        assert_same_bits(before, graph)
