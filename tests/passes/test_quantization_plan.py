"""Which tensors share a scale, which are rescaled, and what stays float."""

from __future__ import annotations

import numpy as np
import pytest
from float_graphs import RELU, FloatGraph

from mcucompile.ir import Array, DType, Graph, Node, ScaleRule, Shape, Tensor, constant, verify
from mcucompile.ir.op import Arrays, Op
from mcucompile.ops.add import Add
from mcucompile.ops.concat import Concat
from mcucompile.ops.dense import Dense
from mcucompile.ops.dequantize import Dequantize
from mcucompile.ops.max import Max
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.requantize import Requantize
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.tanh import Tanh
from mcucompile.ops.window import Window
from mcucompile.passes.quantization_rules import rule
from mcucompile.passes.quantize import QuantizeOptions, quantize
from mcucompile.reference import evaluate, quantized_inputs

MINMAX = QuantizeOptions(DType.I8, "minmax", "off", "off")


class Cube(Op):
    """y = x^3, an operator without an integer form."""

    name = "cube"

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        return (args[0] ** 3,)

    def __str__(self) -> str:
        return self.name


def quantized(net: FloatGraph, *outputs: Tensor, options: QuantizeOptions = MINMAX) -> tuple[Graph, dict[str, Tensor]]:
    """The quantized graph, which must be near the float one, and its tensors by name."""
    graph, samples = net.graph(*outputs), net.samples(30)
    want = [evaluate(graph, {"x": x}) for x in samples["x"]]
    quantize(graph, samples, options)
    verify(graph)
    stored = quantized_inputs(graph, samples)["x"]
    for t in graph.outputs:
        got = np.stack([evaluate(graph, {"x": x})[t.name] for x in stored])
        real = t.quant.dequantize(got) if t.quant else got
        signal = np.stack([w[t.name] for w in want])
        assert np.square(signal - real).sum() < 2e-3 * np.square(signal).sum(), f"%{t.name} is far off"
    return graph, {t.name: t for t in [*graph.activations(), *graph.constants()]}


def count(graph: Graph, kind: type[Op]) -> int:
    return sum(isinstance(n.op, kind) for n in graph.nodes)


def test_concat_takes_the_union() -> None:
    net = FloatGraph((1, 4, 4, 2))
    a, b = net.conv("a", net.x, 3, RELU), net.conv("b", net.x, 3)
    graph, t = quantized(net, net.add("c", Concat(3), a, b))
    assert t["a"].quant == t["b"].quant == t["c"].quant
    assert count(graph, Requantize) == 0


def test_concat_rescales_an_input_that_would_suffer() -> None:
    net = FloatGraph((1, 4, 4, 2))
    a, b = net.conv("a", net.x, 3), net.conv("b", net.x, 3)
    small, weight, bias = net.nodes[0], net.nodes[0].inputs[1].const, net.nodes[0].inputs[2].const
    assert weight is not None and bias is not None and small.output is a
    weight *= 0.01
    bias *= 0.01
    graph, t = quantized(net, net.add("c", Concat(3), a, b), net.conv("d", a, 2))
    assert count(graph, Requantize) == 1
    quant_a, quant_c = t["a"].quant, t["c"].quant
    assert quant_a and quant_c and quant_a.scale < quant_c.scale / 10
    assert t["b"].quant == quant_c


def test_concat_of_a_constant() -> None:
    net = FloatGraph((1, 4))
    y = net.add("c", Concat(1), net.dense("a", net.x, 3), constant("k", np.asarray([[5.0, -2.0]], np.float32)))
    _, t = quantized(net, y)
    assert t["k"].quant == t["c"].quant


def test_concat_of_one_tensor_twice() -> None:
    net = FloatGraph((1, 4))
    a = net.dense("a", net.x, 3)
    graph, t = quantized(net, net.add("c", Concat(1), a, a))
    assert t["a"].quant == t["c"].quant and count(graph, Requantize) == 0


def test_softmax_and_sigmoid_have_fixed_ranges() -> None:
    net = FloatGraph((1, 6))
    logits = net.dense("d", net.x, 4)
    outputs = [net.add(op.name, op, logits) for op in (Softmax(), Sigmoid(), Tanh())]
    _, t = quantized(net, *outputs)
    for name, scale, zero in (("softmax", 1 / 256, -128), ("sigmoid", 1 / 256, -128), ("tanh", 1 / 128, 0)):
        quant = t[name].quant
        assert quant and (quant.scale, quant.zero) == (scale, zero)


def test_a_fixed_range_spreads_through_a_reshape() -> None:
    net = FloatGraph((1, 6))
    y = net.add("r", Reshape((1, 2, 2)), net.add("s", Softmax(), net.dense("d", net.x, 4)))
    _, t = quantized(net, y)
    assert t["r"].quant == t["s"].quant and t["r"].quant and t["r"].quant.scale == 1 / 256


def test_fixed_inputs_of_a_concat_are_rescaled() -> None:
    net = FloatGraph((1, 6))
    d = net.dense("d", net.x, 4)
    y = net.add("c", Concat(1), net.add("s", Sigmoid(), d), net.add("t", Tanh(), d))
    graph, t = quantized(net, y)
    assert count(graph, Requantize) == 2
    assert t["s_rescaled"].quant == t["t_rescaled"].quant == t["c"].quant


def test_max_of_two_layers() -> None:
    net = FloatGraph((1, 4, 4, 2))
    y = net.add("m", Max(), net.conv("a", net.x, 3), net.conv("b", net.x, 3))
    _, t = quantized(net, y)
    assert t["a"].quant == t["b"].quant == t["m"].quant


def test_pool_of_a_shared_tensor() -> None:
    net = FloatGraph((1, 4, 4, 2))
    a = net.conv("a", net.x, 3)
    _, t = quantized(net, net.add("p", MaxPool(Window((2, 2), (2, 2))), a), net.conv("b", a, 2))
    assert t["p"].quant == t["a"].quant


def test_operands_of_a_sum_have_their_own_ranges() -> None:
    net = FloatGraph((1, 4, 4, 2))
    a, b = net.conv("a", net.x, 3, RELU), net.conv("b", net.x, 3)
    _, t = quantized(net, net.add("s", Add(), a, b))
    assert len({t["a"].quant, t["b"].quant, t["s"].quant}) == 3


def test_constant_operand() -> None:
    net = FloatGraph((1, 4, 4, 2))
    y = net.add("m", Mul(), net.conv("a", net.x, 3), constant("k", np.asarray([[[[0.5, 1.0, 2.0]]]], np.float32)))
    _, t = quantized(net, y)
    assert t["k"].quant and t["k"].quant.scale == pytest.approx(2 / 255)


@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
def test_an_operator_without_integers_stays_float(dtype: DType) -> None:
    net = FloatGraph((1, 6))
    y = net.add("c", Cube(), net.dense("a", net.x, 5))
    graph, t = quantized(net, net.dense("b", y, 3), options=QuantizeOptions(dtype, "minmax"))
    kinds = [type(n.op).__name__ for n in graph.nodes]
    assert kinds == ["Dense", "Dequantize", "Cube", "Quantize", "Dense"]
    assert t["c"].dtype is DType.F32 and t["c_stored"].quant


def test_float_at_the_boundary_stays_float() -> None:
    net = FloatGraph((1, 6))
    y = net.add("r", Reshape((1, 2, 3)), net.add("c", Cube(), net.add("f", Reshape((1, 6)), net.x)))
    graph, _ = quantized(net, y)
    assert [t.dtype for t in graph.activations()] == [DType.F32] * 4


def test_one_dequantize_for_two_float_readers() -> None:
    net = FloatGraph((1, 6))
    a = net.dense("a", net.x, 5)
    graph, _ = quantized(net, net.add("c", Cube(), a), net.add("d", Cube(), a))
    assert count(graph, Dequantize) == 1


def test_shared_weights_stay_one_tensor() -> None:
    net = FloatGraph((1, 6))
    w, b = net.values("w", 6, 6), net.values("b", 6)
    y = net.add("z", Dense(), net.add("y", Dense(RELU), net.x, w, b), w, b)
    graph, t = quantized(net, y)
    first, second = graph.nodes
    assert first.inputs[1] is second.inputs[1]
    assert first.inputs[2] is not second.inputs[2] and "b_again" in t


def test_token_ids_are_left_alone() -> None:
    tokens = Tensor("tokens", (1, 4), DType.I32)
    node = Node(Reshape((4, 1)), [tokens], [Tensor("y", (4, 1), DType.I32)])
    assert rule(node) is ScaleRule.FLOAT
