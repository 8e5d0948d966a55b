"""Dequantize, operator, Quantize become one integer operator; what cannot stays real."""

import copy

import numpy as np
import pytest
from sketch import Q2, Q, Sketch, names

from mcucompile.errors import CompileError
from mcucompile.ir import Array, Clip, DType, Graph, Op, QuantParams, Tensor, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.affine import Affine
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.max import Max
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.pad import Pad
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.slice import Slice
from mcucompile.ops.split import Split
from mcucompile.ops.transpose import Transpose
from mcucompile.ops.window import Window
from mcucompile.passes.absorb_qdq import AbsorbQdq
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.reference import evaluate

Q16 = QuantParams.per_tensor(0.001, 0, DType.I16)
RELU = Clamp(Clip(0.0))
QDQ = {"quantize", "dequantize"}


def absorbed(graph: Graph, steps: int) -> list[str]:
    """The operators afterwards; outputs differ from the real computation by at most so many steps."""
    before = copy.deepcopy(graph)
    AbsorbQdq().run(graph)
    verify(graph)
    FixMultipliers().run(graph)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        inputs = {
            t.name: rng.integers(t.dtype.low, t.dtype.high, t.shape, endpoint=True).astype(t.dtype.numpy)
            if t.dtype.is_integer
            else rng.uniform(-9, 9, t.shape).astype(np.float32)
            for t in before.inputs
        }
        wanted, found = evaluate(before, inputs), evaluate(graph, inputs)
        for name, value in wanted.items():
            assert found[name].dtype == value.dtype
            assert np.abs(found[name].astype(np.float64) - value.astype(np.float64)).max() <= steps
    return names(graph)


def weight(s: Sketch, *shape: int, scales: int = 1, axis: int | None = None, zero: int = 0) -> Tensor:
    quant = QuantParams(tuple(float(np.float32(0.01 + 0.003 * i)) for i in range(scales)), zero, DType.I8, axis)
    values = s.rng.integers(-128, 128, shape).astype(np.int8)
    return constant(f"w{len(s.graph.nodes)}", values, quant)


def bias(values: Array, name: str = "b") -> Tensor:
    return constant(name, values.astype(np.float32))


class TestMoves:
    """Operators that only move or compare are exact."""

    @pytest.mark.parametrize(
        "op", [Reshape((6, 4)), Transpose((2, 0, 1)), Slice((0, 1, 0), (2, 2, 4), (1, 1, 1)), Pad((1, 0, 0), (0, 0, 2)),
               RELU, Clamp(Clip(-0.37, 1.21))], ids=str,
    )  # fmt: skip
    @pytest.mark.parametrize("quant", [Q, Q2], ids=["same scale", "another scale"])
    def test_between_dequantize_and_quantize(self, op: Op, quant: QuantParams) -> None:
        s = Sketch()
        x = s.input(2, 3, 4, quant=Q)
        left = absorbed(s.done(s.quantize(s.add(op, s.dequantize(x)), quant)), 0)
        assert left == ([op.name] if quant == Q else ["requantize", op.name])

    def test_dequantize_moves_down(self) -> None:
        s = Sketch()
        y = s.add(Transpose((1, 0)), s.dequantize(s.input(2, 3, quant=Q)))
        assert absorbed(s.done(y), 0) == ["transpose", "dequantize"]

    def test_quantize_moves_up(self) -> None:
        s = Sketch()
        assert absorbed(s.done(s.quantize(s.add(Reshape((6,)), s.input(2, 3)))), 0) == ["quantize", "reshape"]

    def test_down_to_a_layer(self) -> None:
        s = Sketch()
        x = s.add(Reshape((2, 3)), s.dequantize(s.input(6, quant=Q)))
        y = s.add(Dense(), x, weight(s, 5, 3), bias(np.zeros(5)))
        assert absorbed(s.done(s.quantize(y)), 1) == ["reshape", "dense"]

    def test_up_to_a_layer(self) -> None:
        s = Sketch()
        y = s.add(Dense(), s.dequantize(s.input(2, 3, quant=Q)), weight(s, 5, 3), bias(np.zeros(5)))
        assert absorbed(s.done(s.quantize(s.add(RELU, s.add(Reshape((10,)), y)))), 1) == ["dense", "reshape", "clamp"]

    def test_padding_with_a_value_that_cannot_be_stored_waits_for_its_scale(self) -> None:
        s = Sketch()
        y = s.add(Pad((1,), (0,), 0.333), s.dequantize(s.input(3, quant=Q)))
        assert absorbed(s.done(y), 0) == ["dequantize", "pad"]

    def test_padding_with_a_value_that_is_rounded_by_its_quantize(self) -> None:
        s = Sketch()
        y = s.add(Pad((1,), (0,), 0.333), s.dequantize(s.input(3, quant=Q)))
        assert absorbed(s.done(s.quantize(y)), 0) == ["pad"]

    def test_limits_do_not_move_above_a_dequantize_alone(self) -> None:
        """0.333 is no step, so that the real result is none either."""
        s = Sketch()
        y = s.add(Clamp(Clip(0.333)), s.dequantize(s.input(3, quant=Q)))
        assert absorbed(s.done(y), 0) == ["dequantize", "clamp"]

    def test_split(self) -> None:
        s = Sketch()
        a, b = s.adds(Split(1, (1, 2)), s.dequantize(s.input(2, 3, quant=Q)))
        assert absorbed(s.done(s.quantize(a, Q2), s.quantize(b, Q2)), 0) == ["requantize", "split"]

    def test_split_to_two_scales(self) -> None:
        s = Sketch()
        a, b = s.adds(Split(1, (1, 2)), s.dequantize(s.input(2, 3, quant=Q)))
        assert absorbed(s.done(s.quantize(a, Q2), s.quantize(b)), 0) == ["split", "requantize", "reshape"]

    def test_concat_of_two_scales(self) -> None:
        s = Sketch()
        a, b = s.dequantize(s.input(2, 3, quant=Q)), s.dequantize(s.input(2, 3, quant=Q2, name="b"))
        assert absorbed(s.done(s.quantize(s.add(Concat(1), a, b))), 0) == ["requantize", "concat"]

    def test_maximum_with_a_constant(self) -> None:
        s = Sketch()
        y = s.add(Max(), s.dequantize(s.input(2, 3, quant=Q)), bias(np.asarray([[-1, 0.21, 2]])))
        assert absorbed(s.done(s.quantize(y, Q2)), 0) == ["requantize", "max"]

    def test_pool(self) -> None:
        s = Sketch()
        y = s.add(MaxPool(Window((2, 2)), Clip(0.0)), s.dequantize(s.input(1, 4, 4, 2, quant=Q)))
        assert absorbed(s.done(s.quantize(y, Q2)), 0) == ["requantize", "max_pool"]


class TestMeeting:
    def test_equal_scales_vanish(self) -> None:
        s = Sketch()
        q = s.quantize(s.dequantize(s.input(2, 3, quant=Q)))
        assert absorbed(s.done(s.add(RELU, q)), 0) == ["clamp"]

    def test_other_scales_rescale(self) -> None:
        s = Sketch()
        assert absorbed(s.done(s.quantize(s.dequantize(s.input(2, 3, quant=Q)), Q2)), 0) == ["requantize"]

    @pytest.mark.parametrize(("before", "after"), [(Q, Q16), (Q16, Q)])
    def test_other_widths(self, before: QuantParams, after: QuantParams) -> None:
        s = Sketch()
        assert absorbed(s.done(s.quantize(s.dequantize(s.input(2, 3, quant=before)), after)), 1) == ["requantize"]

    def test_two_quantizes_of_one_value_are_shared(self) -> None:
        s = Sketch()
        y = s.add(Sigmoid(), s.dequantize(s.input(2, 3, quant=Q)))
        graph = s.done(s.add(RELU, s.quantize(y)), s.add(Reshape((6,)), s.quantize(y)))
        assert absorbed(graph, 0) == ["sigmoid", "clamp", "reshape"]


class TestLayers:
    @pytest.mark.parametrize("quant", [Q, Q16], ids=["int8", "int16"])
    @pytest.mark.parametrize(
        "kernel",
        [dict[str, int](), {"scales": 5, "axis": 0}, {"zero": 9}],
        ids=["per tensor", "per channel", "asymmetric"],
    )
    def test_dense(self, quant: QuantParams, kernel: dict[str, int]) -> None:
        s = Sketch()
        x = s.dequantize(s.input(2, 3, quant=quant))
        y = s.add(Dense(), x, weight(s, 5, 3, **kernel), bias(np.asarray([1, -2, 0.3, 0, 0.01])))
        graph = s.done(s.quantize(y, quant))
        assert absorbed(graph, 1) == ["dense"]
        _, _, b = graph.nodes[0].inputs
        assert b.dtype is DType.I32 and b.quant

    @pytest.mark.parametrize("axis", [None, 2])
    def test_depthwise(self, axis: int | None) -> None:
        s = Sketch()
        w = weight(s, 3, 3, 4, scales=1 if axis is None else 4, axis=axis)
        x = s.dequantize(s.input(1, 5, 5, 4, quant=Q))
        y = s.add(DepthwiseConv2d(Window((3, 3))), x, w, bias(np.ones(4)))
        assert absorbed(s.done(s.quantize(y, Q2)), 1) == ["depthwise_conv2d"]

    def dense_with(self, b: Tensor, w: Tensor | None = None) -> Graph:
        s = Sketch()
        kernel = weight(s, 2, 3) if w is None else w
        return s.done(s.quantize(s.add(Dense(), s.dequantize(s.input(1, 3, quant=Q)), kernel, b)))

    def test_bias_on_the_scale_of_the_sums_keeps_its_integers(self) -> None:
        """Even where float32 could not hold them."""
        values = np.asarray([(1 << 24) + 1, -(1 << 24) - 3], np.int32)
        scale = np.float32(np.float32(0.01) * np.float32(0.05))
        graph = self.dense_with(constant("b", values, QuantParams((float(scale),), 0, DType.I32)))
        AbsorbQdq().run(graph)
        np.testing.assert_array_equal(graph.nodes[0].inputs[2].const, values)

    def test_bias_on_another_scale_is_brought_to_it(self) -> None:
        graph = self.dense_with(constant("b", np.asarray([100, -40], np.int32), QuantParams((0.5,), 0, DType.I32)))
        AbsorbQdq().run(graph)
        step = float(np.float32(0.01)) * float(np.float32(0.05))
        np.testing.assert_array_equal(graph.nodes[0].inputs[2].const, np.rint(np.asarray([50, -20]) / step))

    def test_scale_too_fine_for_its_bias_gets_coarser(self) -> None:
        """Quantizers give a channel without weights the smallest scale that there is."""
        quant = QuantParams((float(np.float32(0.01)), float(np.float32(1e-20))), 0, DType.I8, 0)
        w = constant("w", np.asarray([[1, 2, 3], [0, 0, 0]], np.int8), quant)
        graph = self.dense_with(bias(np.asarray([1.0, 2.5])), w)
        assert absorbed(graph, 1) == ["dense"]

    def test_bias_beyond_32_bits_of_a_wide_layer(self) -> None:
        s = Sketch()
        w = constant("w", np.ones((1, 3), np.int8), QuantParams((float(np.float32(1e-6)),), 0, DType.I8))
        x = s.dequantize(s.input(1, 3, quant=Q16))
        graph = s.done(s.quantize(s.add(Dense(), x, w, bias(np.asarray([10.0]))), Q16))
        assert absorbed(graph, 1) == ["dense"]
        assert graph.nodes[0].inputs[2].dtype is DType.I64

    def test_bias_without_measure(self) -> None:
        s = Sketch()
        w = constant("w", np.ones((1, 3), np.int8), QuantParams((float(np.float32(1e-30)),), 0, DType.I8))
        x = s.dequantize(s.input(1, 3, quant=Q16))
        graph = s.done(s.quantize(s.add(Dense(), x, w, bias(np.asarray([1e9]))), Q16))
        with pytest.raises(CompileError) as caught:
            AbsorbQdq().run(graph)
        assert caught.value.code == "E0203" and "dense" in caught.value.where

    def test_real_weights_stay_real(self) -> None:
        w = constant("w", np.ones((2, 3), np.float32))
        assert absorbed(self.dense_with(bias(np.zeros(2)), w), 0) == ["dequantize", "dense", "quantize"]

    def test_weights_per_input_channel_stay_real(self) -> None:
        w = weight(Sketch(), 2, 3, scales=3, axis=1)
        assert absorbed(self.dense_with(bias(np.zeros(2)), w), 0) == ["dequantize", "dense", "quantize"]

    def test_convolution(self) -> None:
        s = Sketch()
        x = s.dequantize(s.input(1, 4, 4, 3, quant=Q))
        y = s.add(Conv2d(Window((3, 3)), clip=Clip(0.0, 6.0)), x, weight(s, 5, 3, 3, 3), bias(np.zeros(5)))
        assert absorbed(s.done(s.quantize(y, QuantParams.per_tensor(6 / 255, -128))), 1) == ["conv2d"]


class TestOthers:
    def two(self, op: Op, second: QuantParams = Q2) -> Sketch:
        s = Sketch()
        a, b = s.dequantize(s.input(2, 3, quant=Q)), s.dequantize(s.input(2, 3, quant=second, name="b"))
        s.add(op, a, b, name="real")
        return s

    @pytest.mark.parametrize("op", [Add(), Mul()])
    def test_sums_and_products(self, op: Op) -> None:
        s = self.two(op)
        assert absorbed(s.done(s.quantize(s.graph.nodes[-1].output)), 1) == [op.name]

    def test_mixed_widths_stay_real(self) -> None:
        s = self.two(Add(), Q16)
        left = absorbed(s.done(s.quantize(s.graph.nodes[-1].output)), 0)
        assert left == ["dequantize", "dequantize", "add", "quantize"]

    def test_quantized_constant_operand(self) -> None:
        s = Sketch()
        c = constant("c", np.asarray([[1, -7, 100]], np.int8), Q2)
        y = s.add(Add(), s.dequantize(s.input(2, 3, quant=Q)), c, name="y")
        y.dtype, y.quant = DType.F32, None
        assert absorbed(s.done(s.quantize(y)), 1) == ["add"]

    def test_real_constant_operand_stays_real(self) -> None:
        s = Sketch()
        y = s.add(Add(), s.dequantize(s.input(2, 3, quant=Q)), bias(np.asarray([[1, -7, 100]])))
        assert absorbed(s.done(s.quantize(y)), 0) == ["dequantize", "add", "quantize"]

    def test_without_an_integer_form_it_stays_real(self) -> None:
        s = Sketch()
        x = s.dequantize(s.input(2, 3, quant=Q))
        y = s.add(Affine(), x, bias(np.ones(3), "f"), bias(np.ones(3), "o"))
        assert absorbed(s.done(s.quantize(y)), 0) == ["dequantize", "affine", "quantize"]

    def test_real_input_stays_real(self) -> None:
        s = Sketch()
        assert absorbed(s.done(s.quantize(s.add(Sigmoid(), s.input(2, 3)))), 0) == ["sigmoid", "quantize"]

    def test_real_output_stays_real(self) -> None:
        s = Sketch()
        y = s.add(Sigmoid(), s.dequantize(s.input(2, 3, quant=Q)))
        assert absorbed(s.done(y), 0) == ["dequantize", "sigmoid"]

    def test_result_that_is_also_read_as_real_stays_real(self) -> None:
        s = Sketch()
        y = s.add(Sigmoid(), s.dequantize(s.input(2, 3, quant=Q)))
        graph = s.done(s.quantize(y), s.add(Sigmoid(), y))
        assert set(absorbed(graph, 0)) > QDQ

    def test_result_that_is_quantized_in_two_ways_stays_real(self) -> None:
        s = Sketch()
        y = s.add(Sigmoid(), s.dequantize(s.input(2, 3, quant=Q)))
        assert set(absorbed(s.done(s.quantize(y), s.quantize(y, Q2)), 0)) > QDQ


def narrow_layer(bias: float, levels: int, largest: int = 7) -> tuple[Graph, Tensor]:
    """4-bit activations and weights of few bits; `levels` of the output; the output and its layer's weights."""
    s = Sketch()
    x = s.dequantize(s.input(1, 4, 4, 3, quant=QuantParams((0.5,))))
    quant = QuantParams(tuple(float(np.float32(v)) for v in (0.1, 0.13)), axis=0)
    w = constant("w", s.rng.integers(-largest, largest + 1, (2, 3)).astype(np.int8), quant)
    w.const.ravel()[0] = largest  # type: ignore[union-attr]
    b = constant("b", np.float32([bias, 0]))
    y = s.add(Dense(Clip(0.0, (levels - 1) * 0.25)), x, w, b)
    graph = s.done(s.dequantize(s.quantize(y, QuantParams((0.25,)))))
    return graph, w


def stored_weight(graph: Graph) -> Tensor:
    AbsorbQdq().run(graph)
    verify(graph)
    return next(n for n in graph.nodes if isinstance(n.op, Dense)).inputs[1]


class TestCoarseBias:
    """Sums of few steps hold a bias badly; weights of few bits leave room for finer steps."""

    @pytest.mark.parametrize(("largest", "factor"), [(7, 16), (3, 32), (1, 64), (100, 1)])
    def test_weights_make_room(self, largest: int, factor: int) -> None:
        graph, w = narrow_layer(0.023, 16, largest)
        found = stored_weight(graph)
        assert w.const is not None and w.quant is not None and found.quant is not None
        np.testing.assert_array_equal(found.const, w.const.astype(int) * factor)
        np.testing.assert_array_equal(np.asarray(found.quant.scales) * factor, w.quant.scales)

    @pytest.mark.parametrize(("bias", "levels"), [(0.0, 16), (0.05, 16), (0.1, 16), (0.0505, 128)])
    def test_integers_stay_where_the_bias_is_fine(self, bias: float, levels: int) -> None:
        """A whole number of steps of 0.05, or one that is wrong by little of the output's range."""
        graph, w = narrow_layer(bias, levels)
        np.testing.assert_array_equal(stored_weight(graph).const, w.const)

    def test_limits_may_stand_behind_the_quantizer(self) -> None:
        s = Sketch()
        x = s.dequantize(s.input(1, 3, quant=QuantParams((0.5,))))
        w = constant("w", np.int8([[7, -7, 1]]), QuantParams((0.125,)))
        y = s.quantize(s.add(Dense(), x, w, constant("b", np.float32([0.0632]))), QuantParams((0.25,)))
        graph = s.done(s.dequantize(s.add(Clamp(Clip(-2.0, 1.75)), y)))
        np.testing.assert_array_equal(stored_weight(graph).const, np.int8([[112, -112, 16]]))

    def test_a_bias_stored_in_steps_of_the_sum_is_exact(self) -> None:
        graph, w = narrow_layer(0.0, 16)
        steps = QuantParams(tuple(float(np.float32(0.5 * s)) for s in w.quant.scales), 0, DType.I32, 0)  # type: ignore[union-attr]
        layer = next(n for n in graph.nodes if isinstance(n.op, Dense))
        layer.inputs[2] = constant("b", np.int32([3, -3]), steps)
        np.testing.assert_array_equal(stored_weight(graph).const, w.const)
