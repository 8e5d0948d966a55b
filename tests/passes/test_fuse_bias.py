"""A constant added behind a layer becomes its bias where it is one value per output channel."""

import numpy as np
import pytest
from sketch import Sketch, assert_exact, names

from mcucompile.ir import Clip, DType, Graph, Node, QuantParams, Tensor, constant
from mcucompile.ops.add import Add
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.window import Window
from mcucompile.passes.fuse_bias import FuseBias


def dense(s: Sketch, clip: Clip | None = None, bias: float = 0.0) -> Tensor:
    b = constant("b", np.full(5, bias, np.float32))
    return s.add(Dense(clip or Clip()), s.input(2, 3), s.constant(5, 3, name="w"), b)


def fused(graph: Graph) -> list[str]:
    assert_exact(graph, FuseBias())
    return names(graph)


@pytest.mark.parametrize("shape", [(1, 5), (1, 1), (5,)])
@pytest.mark.parametrize("is_first", [False, True])
def test_dense(shape: tuple[int, ...], is_first: bool) -> None:
    s = Sketch()
    y, c = dense(s), s.constant(*shape, name="c")
    graph = s.done(s.add(Add(), *((c, y) if is_first else (y, c)), name="y"))
    assert fused(graph) == ["dense"]
    assert graph.outputs[0].name == "y" and graph.nodes[0].inputs[2].shape == (5,)


def test_convolution() -> None:
    s = Sketch()
    zero = constant("b", np.zeros(4, np.float32))
    y = s.add(Conv2d(Window((1, 1))), s.input(1, 2, 2, 3), s.constant(4, 1, 1, 3, name="w"), zero)
    assert fused(s.done(s.add(Add(), y, s.constant(1, 1, 1, 4)))) == ["conv2d"]


def test_the_activation_behind_the_sum_comes_along() -> None:
    s = Sketch()
    graph = s.done(s.add(Add(Clip(0.0)), dense(s), s.constant(1, 5, name="c")))
    assert fused(graph) == ["dense"]
    assert graph.nodes[0].op == Dense(Clip(0.0))


@pytest.mark.parametrize("axis", [None, 1])
def test_quantized_bias_stays_quantized(axis: int | None) -> None:
    s = Sketch()
    y = dense(s)
    quant = QuantParams((0.5,) if axis is None else (0.5, 0.25, 0.125, 1.0, 2.0), 0, DType.I32, axis)
    c = constant("c", np.asarray([[3, 1, 4, 1, 5]], np.int32), quant)
    output = Tensor("y", (2, 5))
    s.graph.nodes.append(Node(Add(), [y, c], [output]))
    s.graph.outputs = [output]
    assert fused(s.graph) == ["dense"]
    bias = s.graph.nodes[0].inputs[2]
    assert bias.dtype is DType.I32 and bias.quant and bias.quant.scales == quant.scales
    assert bias.quant.axis == (None if axis is None else 0)


def test_not_on_top_of_another_bias() -> None:
    s = Sketch()
    assert fused(s.done(s.add(Add(), dense(s, bias=1.0), s.constant(1, 5, name="c")))) == ["dense", "add"]


def test_not_behind_an_activation() -> None:
    s = Sketch()
    assert fused(s.done(s.add(Add(), dense(s, Clip(0.0)), s.constant(1, 5, name="c")))) == ["dense", "add"]


@pytest.mark.parametrize("shape", [(2, 1), (2, 5), (3, 2, 5)])
def test_not_a_value_per_row(shape: tuple[int, ...]) -> None:
    s = Sketch()
    assert fused(s.done(s.add(Add(), dense(s), s.constant(*shape, name="c")))) == ["dense", "add"]


def test_not_where_the_sum_is_read_before() -> None:
    s = Sketch()
    y = dense(s)
    graph = s.done(s.add(Add(), y, s.constant(1, 5, name="c")), s.add(Sigmoid(), y))
    assert fused(graph) == ["dense", "add", "sigmoid"]


def test_not_behind_another_operator() -> None:
    s = Sketch()
    assert fused(s.done(s.add(Add(), s.add(Sigmoid(), s.input(2, 5)), s.constant(1, 5)))) == ["sigmoid", "add"]


def test_not_a_sum_of_two_activations() -> None:
    s = Sketch()
    y = dense(s)
    assert fused(s.done(s.add(Add(), y, y))) == ["dense", "add"]
