"""A border of -infinity joins the window of the MaxPool behind it, and no other border, nor behind anything else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcucompile.errors import CompileError
from mcucompile.ir import Clip, Graph, Node, Op, Shape, Tensor
from mcucompile.ops import Clamp, MaxPool, Pad, Transpose
from mcucompile.ops.window import Window
from mcucompile.passes.fuse_pad import FusePad
from mcucompile.reference import evaluate

WINDOW = Window((2, 2), pads=(0, 1, 0, 0))
BEGINS, ENDS = (0, 1, 0, 0), (0, 1, 1, 0)


def chain(*ops: Op, shape: Shape = (1, 3, 4, 2)) -> Graph:
    tensors, nodes = [Tensor("x", shape)], []
    for i, op in enumerate(ops):
        (result,) = op.infer(tensors[-1].shape)
        tensors.append(Tensor(f"t{i}", result))
        nodes.append(Node(op, [tensors[-2]], [tensors[-1]], (f"n{i}",)))
    return Graph("net", [tensors[0]], [tensors[-1]], nodes)


def result(graph: Graph) -> list[float]:
    x = np.random.default_rng(0).normal(size=graph.inputs[0].shape).astype(np.float32) - 3
    return [float(v) for v in evaluate(graph, {"x": x})[graph.outputs[0].name].ravel()]


def test_joins_the_window() -> None:
    graph = chain(Pad(BEGINS, ENDS, -math.inf), MaxPool(WINDOW))
    before = result(graph)
    assert FusePad().run(graph) == 1
    (node,) = graph.nodes
    assert node.op == MaxPool(Window((2, 2), pads=(1, 1, 1, 1)))
    assert node.source == ("n0", "n1")
    assert result(graph) == before


def test_through_a_transposition() -> None:
    graph = chain(
        Pad((0, 0, 1, 0), (0, 0, 1, 1), -math.inf), Transpose((0, 2, 3, 1)), MaxPool(WINDOW), shape=(1, 2, 3, 4)
    )
    before = result(graph)
    assert FusePad().run(graph) == 1
    assert [n.op.name for n in graph.nodes] == ["transpose", "max_pool"]
    assert graph.nodes[1].op == MaxPool(Window((2, 2), pads=(1, 1, 1, 1)))
    assert result(graph) == before


@pytest.mark.parametrize("channels_first", [False, True])
def test_each_side_keeps_its_border(channels_first: bool) -> None:
    begins, ends = ((0, 0, 1, 2), (0, 0, 2, 0)) if channels_first else ((0, 1, 2, 0), (0, 2, 0, 0))
    ops: list[Op] = [Pad(begins, ends, -math.inf), MaxPool(Window((3, 3)))]
    if channels_first:
        ops.insert(1, Transpose((0, 2, 3, 1)))
    graph = chain(*ops, shape=(1, 2, 5, 6) if channels_first else (1, 5, 6, 2))
    before = result(graph)
    assert FusePad().run(graph) == 1
    assert graph.nodes[-1].op == MaxPool(Window((3, 3), pads=(1, 2, 2, 0)))  # top, left, bottom, right
    assert result(graph) == before


def test_a_finite_border_stays() -> None:
    graph = chain(Pad(BEGINS, ENDS, 0.0), MaxPool(WINDOW))
    assert FusePad().run(graph) == 0
    assert len(graph.nodes) == 2


@pytest.mark.parametrize(
    "ops",
    [
        (Pad(BEGINS, ENDS, math.inf), MaxPool(WINDOW)),
        (Pad(BEGINS, ENDS, math.nan), MaxPool(WINDOW)),
        (Pad(BEGINS, ENDS, -math.inf), Clamp(Clip(0.0))),
        (Pad((0, 0, 0, 1), (0, 0, 0, 0), -math.inf), MaxPool(WINDOW)),
        (Pad((1, 0, 0, 0), (0, 0, 0, 0), -math.inf), MaxPool(WINDOW)),
        (Pad((0, 3, 0, 0), (0, 0, 0, 0), -math.inf), MaxPool(WINDOW)),
    ],
    ids=["plus infinity", "nan", "no pool", "channels", "batch", "a window in the border"],
)
def test_what_stays_infinite_is_refused(ops: tuple[Op, ...]) -> None:
    with pytest.raises(CompileError, match="border") as error:
        FusePad().run(chain(*ops))
    assert error.value.code == "E0103"
    assert "n0" in error.value.where


def test_another_reader_keeps_the_border() -> None:
    graph = chain(Pad(BEGINS, ENDS, -math.inf), MaxPool(WINDOW))
    graph.outputs.append(graph.nodes[0].output)
    with pytest.raises(CompileError):
        FusePad().run(graph)
