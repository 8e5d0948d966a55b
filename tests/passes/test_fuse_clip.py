"""Activations move into the operator before them, and nowhere else."""

import numpy as np
import pytest
from sketch import Q, Sketch, assert_exact, names

from mcucompile.ir import Clip, Graph, Op, QuantParams, Tensor
from mcucompile.ops.add import Add
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pad import Pad
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.transpose import Transpose
from mcucompile.ops.window import Window
from mcucompile.passes.fuse_clip import FuseClip

RELU, RELU6 = Clamp(Clip(0.0)), Clamp(Clip(0.0, 6.0))


def dense(s: Sketch, x: Tensor) -> Tensor:
    return s.add(Dense(), x, s.constant(5, x.shape[-1], name="w"), s.constant(5, name="b"))


def fused(graph: Graph) -> list[str]:
    assert_exact(graph, FuseClip())
    return names(graph)


def test_into_a_layer() -> None:
    s = Sketch()
    graph = s.done(s.add(RELU6, dense(s, s.input(2, 3)), name="y"))
    assert fused(graph) == ["dense"]
    assert graph.nodes[0].op == Dense(Clip(0.0, 6.0))
    assert graph.nodes[0].source == ("t0", "y")


@pytest.mark.parametrize("op", [Reshape((1, 10)), Transpose((1, 0))])
def test_past_operators_that_only_move(op: Op) -> None:
    s = Sketch()
    graph = s.done(s.add(RELU, s.add(op, dense(s, s.input(2, 3)))))
    assert fused(graph) == ["dense", op.name]


@pytest.mark.parametrize("op", [Add(), MaxPool(Window((1, 2)))])
def test_into_other_operators_that_limit(op: Op) -> None:
    s = Sketch()
    x = s.input(1, 2, 4, 3)
    inputs = [x, s.constant(1, 2, 4, 3)][: 2 if isinstance(op, Add) else 1]
    assert fused(s.done(s.add(RELU6, s.add(op, *inputs)))) == [op.name]


def test_two_in_a_row_become_one() -> None:
    s = Sketch()
    x = s.add(Clamp(Clip(-3.0, 5.0)), dense(s, s.input(2, 3)))
    graph = s.done(s.add(Clamp(Clip(-1.0, 9.0)), x))
    assert fused(graph) == ["dense"]
    assert graph.nodes[0].op == Dense(Clip(-1.0, 5.0))


def test_limits_that_do_not_overlap() -> None:
    s = Sketch()
    graph = s.done(s.add(Clamp(Clip(7.0, 9.0)), s.add(Clamp(Clip(-3.0, 5.0)), dense(s, s.input(2, 3)))))
    assert fused(graph) == ["dense"]


def test_one_that_limits_nothing_goes() -> None:
    s = Sketch()
    assert fused(s.done(s.add(Clamp(Clip()), s.add(Sigmoid(), s.input(2, 3))))) == ["sigmoid"]


def test_on_integers_the_whole_range_is_no_limit() -> None:
    s = Sketch()
    x = s.add(Sigmoid(), s.input(2, 3, quant=Q), quant=QuantParams.per_tensor(1 / 256, -128))
    assert fused(s.done(s.add(Clamp(Clip(0.0, 6.0)), x))) == ["sigmoid"]


def test_on_integers_with_one_scale() -> None:
    s = Sketch()
    x = s.input(1, 2, 2, 3, quant=Q)
    graph = s.done(s.add(RELU, s.add(MaxPool(Window((1, 2))), x)))
    assert fused(graph) == ["max_pool"]
    assert np.isposinf(graph.nodes[0].op.clip.high)  # type: ignore[attr-defined]


def test_not_into_an_operator_without_limits() -> None:
    s = Sketch()
    assert fused(s.done(s.add(RELU, s.add(Sigmoid(), s.input(2, 3))))) == ["sigmoid", "clamp"]


def test_not_past_padding() -> None:
    """The border is limited too."""
    s = Sketch()
    graph = s.done(s.add(RELU, s.add(Pad((0, 1), (0, 0), -2.0), dense(s, s.input(2, 3)))))
    assert fused(graph) == ["dense", "pad", "clamp"]


def test_not_where_the_result_has_another_reader() -> None:
    s = Sketch()
    y = dense(s, s.input(2, 3))
    assert fused(s.done(s.add(RELU, y), s.add(Sigmoid(), y))) == ["dense", "clamp", "sigmoid"]


def test_not_where_the_result_is_an_output() -> None:
    s = Sketch()
    y = dense(s, s.input(2, 3))
    assert fused(s.done(s.add(RELU, y), y)) == ["dense", "clamp"]


def test_not_past_a_move_with_another_reader() -> None:
    s = Sketch()
    y = s.add(Reshape((1, 10)), dense(s, s.input(2, 3)))
    assert fused(s.done(s.add(RELU, y), y)) == ["dense", "reshape", "clamp"]


def test_not_at_the_input() -> None:
    s = Sketch()
    assert fused(s.done(s.add(RELU, s.input(2, 3)))) == ["clamp"]


def test_real_clip_between_input_and_output_that_limits_nothing_stays() -> None:
    s = Sketch()
    assert fused(s.done(s.add(Clamp(Clip()), s.input(2, 3)))) == ["clamp"]


def test_convolution() -> None:
    s = Sketch()
    y = s.add(Conv2d(Window((1, 1))), s.input(1, 2, 2, 3), s.constant(4, 1, 1, 3, name="w"), s.constant(4, name="b"))
    assert fused(s.done(s.add(RELU6, y))) == ["conv2d"]
