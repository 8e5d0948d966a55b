"""Quantized inputs and outputs become floats under their names; others are left alone."""

from __future__ import annotations

import numpy as np

from mcucompile import reference
from mcucompile.ir import Clip, DType, Graph, Node, QuantParams, Tensor, verify
from mcucompile.ops import Clamp
from mcucompile.passes.wrap_boundary import WrapBoundary

QUANT = QuantParams.per_tensor(0.5, 3)


def clamp(quant: QuantParams | None) -> Graph:
    dtype = DType.I8 if quant else DType.F32
    x, y = Tensor("x", (1, 4), dtype, quant), Tensor("y", (1, 4), dtype, quant)
    return Graph("net", [x], [y], [Node(Clamp(Clip(0.0)), [x], [y])])


def test_quantized_boundary() -> None:
    g = clamp(QUANT)
    assert WrapBoundary().run(g) == 2
    verify(g)
    assert [(t.name, t.dtype) for t in (*g.inputs, *g.outputs)] == [("x", DType.F32), ("y", DType.F32)]
    x = np.asarray([[-1.0, 0.0, 1.26, 100.0]], np.float32)
    assert reference.evaluate(g, {"x": x})["y"].tolist() == [[0.0, 0.0, 1.5, 62.0]]


def test_real_boundary() -> None:
    assert WrapBoundary().run(clamp(None)) == 0


def test_an_output_that_is_read_inside_too() -> None:
    g = clamp(QUANT)
    first = g.outputs[0]
    z = Tensor("z", (1, 4), DType.I8, QUANT)
    g.nodes.append(Node(Clamp(Clip(0.0, 1.0)), [first], [z]))
    g.outputs.append(z)
    assert WrapBoundary().run(g) == 3
    verify(g)
    assert [t.name for t in g.outputs] == ["y", "z"]
