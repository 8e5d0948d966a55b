"""Graphs of a few nodes for tests of passes, real or quantized."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from mcucompile.ir import Array, DType, Graph, Node, Numerics, Op, QuantParams, Tensor, constant, graph_text, verify
from mcucompile.ops.dequantize import Dequantize
from mcucompile.ops.quantize import Quantize
from mcucompile.passes.base import Pass
from mcucompile.passes.name_tensors import NameTensors
from mcucompile.reference import evaluate

Q = QuantParams.per_tensor(0.05, 3)
Q2 = QuantParams.per_tensor(0.08, -7)


class Sketch:
    """A graph in the making. Real constants and inputs are small whole numbers, so that every float sum is exact."""

    def __init__(self, seed: int = 0) -> None:
        self.graph = Graph("sketch", [], [])
        self.rng = np.random.default_rng(seed)

    def input(self, *shape: int, quant: QuantParams | None = None, name: str = "x") -> Tensor:
        t = Tensor(name, shape, quant.dtype if quant else DType.F32, quant)
        self.graph.inputs.append(t)
        return t

    def constant(self, *shape: int, quant: QuantParams | None = None, name: str = "") -> Tensor:
        values: Array = self.rng.integers(-9, 10, shape)
        name = name or f"c{len(self.graph.nodes)}"
        return constant(name, values.astype(quant.dtype.numpy if quant else np.float32), quant)

    def adds(
        self, op: Op, *inputs: Tensor, names: Sequence[str] = (), quant: QuantParams | None = None
    ) -> list[Tensor]:
        shapes = op.infer(*(t.shape for t in inputs))
        base = f"t{len(self.graph.nodes)}"
        names = names or [base if i == 0 else f"{base}_{i}" for i in range(len(shapes))]
        moved = next((t.quant for t in inputs if t.const is None), None) if quant is None else quant
        if isinstance(op, Dequantize):
            moved = None
        dtype = moved.dtype if moved else DType.F32
        outputs = [Tensor(n, s, dtype, moved) for n, s in zip(names, shapes, strict=True)]
        self.graph.nodes.append(Node(op, list(inputs), outputs, (names[0],)))
        return outputs

    def add(self, op: Op, *inputs: Tensor, name: str = "", quant: QuantParams | None = None) -> Tensor:
        (y,) = self.adds(op, *inputs, names=[name] if name else (), quant=quant)
        return y

    def dequantize(self, x: Tensor) -> Tensor:
        return self.add(Dequantize(), x)

    def quantize(self, x: Tensor, quant: QuantParams = Q) -> Tensor:
        return self.add(Quantize(), x, quant=quant)

    def done(self, *outputs: Tensor) -> Graph:
        self.graph.outputs = list(outputs)
        for node in self.graph.nodes:
            if any(t.quant for t in [*node.activations(), *node.outputs]) and all(t.quant for t in node.inputs):
                node.op = node.op.fix(node, Numerics.ONNX)
        verify(self.graph)
        return self.graph


def whole_inputs(graph: Graph, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {t.name: rng.integers(-20, 21, t.shape).astype(t.dtype.numpy) for t in graph.inputs}


def names(graph: Graph) -> list[str]:
    return [n.op.name for n in graph.nodes]


def assert_exact(graph: Graph, p: Pass) -> int:
    """The pass changes no bit of any output, nor the boundary, and a second run changes nothing; its count."""
    before = copy.deepcopy(graph)
    changes = p.run(graph)
    verify(graph)
    boundary = [(t.name, t.shape, t.dtype, t.quant) for t in (*before.inputs, *before.outputs)]
    assert [(t.name, t.shape, t.dtype, t.quant) for t in (*graph.inputs, *graph.outputs)] == boundary
    for seed in range(3):
        inputs = whole_inputs(before, seed)
        wanted, found = evaluate(before, inputs), evaluate(graph, inputs)
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    text = named_text(graph)
    p.run(graph)
    assert named_text(graph) == text
    return changes


def named_text(graph: Graph) -> str:
    """The text of a copy whose provisional names are replaced."""
    copied = copy.deepcopy(graph)
    NameTensors().run(copied)
    return graph_text(copied)
