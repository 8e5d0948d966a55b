"""A layer before a sign computes on integers and decides alike, at every sum and every bias."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import pytest
from sketch import Q, Sketch, names

from mcucompile.ir import Array, Clip, DType, Graph, Op, QuantParams, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.sign import Sign
from mcucompile.ops.window import Window
from mcucompile.passes.absorb_qdq import AbsorbQdq
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.quantize_signs import QuantizeSigns
from mcucompile.reference import evaluate

FEW = QuantParams((0.25,), -1)  # powers of two: real sums are exact
SCALES = QuantParams((0.5, 0.125, 2.0, 0.25), axis=0)


def network(
    at_zero: int, bias: npt.ArrayLike, weight: QuantParams = SCALES, clip: Clip | None = None, pads: int = 1
) -> Graph:
    """A stored image, a convolution of 4 channels, its sign as a real number."""
    s = Sketch()
    x = s.input(1, 5, 5, 2, quant=FEW)
    values = s.rng.integers(-1, 2, (4, 3, 3, 2)).astype(weight.dtype.numpy)
    w, b = constant("w", values, weight), constant("b", np.asarray(bias, np.float32))
    op = Conv2d(Window((3, 3), pads=(pads,) * 4), clip=clip or Clip())
    return s.done(s.add(Sign(at_zero), s.add(op, s.dequantize(x), w, b), name="y"))


def same_signs(graph: Graph, seeds: int = 30) -> list[str]:
    """The operators after the pass and AbsorbQdq, which compute the very signs."""
    before = copy.deepcopy(graph)
    assert QuantizeSigns().run(graph) == 1
    verify(graph)
    AbsorbQdq().run(graph)
    FixMultipliers().run(graph)
    verify(graph)
    for seed in range(seeds):
        x = {"x": np.random.default_rng(seed).integers(-6, 6, before.inputs[0].shape).astype(np.int8)}
        np.testing.assert_array_equal(evaluate(graph, x)["y"], evaluate(before, x)["y"])
    return names(graph)


BIASES = {
    "between sums": [0.3, -0.2, 1.1, -1.7],
    "on sums": [0.125, -0.03125, 1.0, 0.0],
    "beyond all sums": [1000, -1000, 1e6, -1e6],
    "mixed": [0.125, -0.2, 1.1, 0.0],
}


@pytest.mark.parametrize("at_zero", [1, -1])
@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
def test_integers_decide_alike(bias: list[float], at_zero: int) -> None:
    assert same_signs(network(at_zero, bias)) == ["conv2d", "sign", "dequantize"]


def test_zero_as_a_value_of_its_own() -> None:
    assert "conv2d" in same_signs(network(0, BIASES["on sums"]))


def test_zero_that_no_sum_can_give() -> None:
    graph = network(0, BIASES["between sums"])
    same_signs(graph)
    assert next(n.op for n in graph.nodes if isinstance(n.op, Sign)).at_zero == 1


def test_one_scale_for_all_channels() -> None:
    graph = network(1, BIASES["mixed"], QuantParams((0.5,)))
    same_signs(graph)
    layer = graph.nodes[0]
    assert layer.inputs[1].quant == QuantParams((0.5,) * 4, axis=0)
    assert layer.output.quant == QuantParams((0.125,)) and layer.inputs[2].dtype is DType.I32


@pytest.mark.parametrize("layer", ["dense", "depthwise"])
def test_other_layers(layer: str) -> None:
    s = Sketch()
    x = s.dequantize(s.input(1, 4, 4, 3, quant=FEW))
    shape, axis = ((5, 3), 0) if layer == "dense" else ((3, 3, 3), 2)
    channels = shape[axis]
    quant = QuantParams(tuple(2.0 ** -(i % 3) for i in range(channels)), axis=axis)
    w = constant("w", s.rng.integers(-3, 4, shape).astype(np.int8), quant)
    op: Op = Dense() if layer == "dense" else DepthwiseConv2d(Window((3, 3)))
    b = constant("b", s.rng.normal(size=channels).astype(np.float32))
    assert "sign" in same_signs(s.done(s.add(Sign(1), s.add(op, x, w, b), name="y")))


def unchanged(graph: Graph) -> bool:
    return QuantizeSigns().run(graph) == 0


class TestMustNotFire:
    def test_zero_in_some_channels_only(self) -> None:
        assert unchanged(network(0, BIASES["mixed"]))

    def test_limits(self) -> None:
        assert unchanged(network(1, BIASES["mixed"], clip=Clip(0.0)))

    def test_scales_of_input_channels(self) -> None:
        assert unchanged(network(1, BIASES["mixed"], QuantParams((0.5, 0.25), axis=3)))

    def test_weights_beyond_int8(self) -> None:
        assert unchanged(network(1, BIASES["mixed"], QuantParams((0.5,), 300, DType.I16)))

    def test_real_input(self) -> None:
        s = Sketch()
        w = constant("w", np.ones((4, 3), np.int8), QuantParams((0.5,)))
        y = s.add(Dense(), s.input(1, 3), w, s.constant(4, name="b"))
        assert unchanged(s.done(s.add(Sign(1), y)))

    def test_real_weights(self) -> None:
        s = Sketch()
        y = s.add(Dense(), s.dequantize(s.input(1, 3, quant=Q)), s.constant(4, 3, name="w"), s.constant(4, name="b"))
        assert unchanged(s.done(s.add(Sign(1), y)))

    def test_somebody_else_reads_the_sums(self) -> None:
        graph = network(1, BIASES["mixed"])
        graph.outputs.append(graph.nodes[1].output)
        assert unchanged(graph)

    def test_sum_of_two(self) -> None:
        s = Sketch()
        x = s.dequantize(s.input(1, 3, quant=Q))
        assert unchanged(s.done(s.add(Sign(1), s.add(Add(), x, x))))


def test_biases_of_float32_near_a_whole_number_of_steps() -> None:
    """What float32 made of 3 steps decides like 3."""
    wide = QuantParams((float(np.float32(0.1)),))
    bias: Array = np.float32([0.3, -0.3, 0.1, 0.7]) * np.float32(0.25)
    graph = network(1, bias, wide)
    QuantizeSigns().run(graph)
    np.testing.assert_array_equal(graph.nodes[1].inputs[2].const, [3, -3, 1, 7])
