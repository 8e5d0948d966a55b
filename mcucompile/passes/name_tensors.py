"""Name what no model file names: constants after what they help to compute, copies after what they are copies of.

    %y = conv2d(%sequential_Conv2D_ReadVariableOp_1, ...)   -->   %y = conv2d(%x, %y_weight, %y_bias)
    %t_inner_4_stored = reshape(%x)                         -->   %x_reshaped = reshape(%x)

So the names in the C follow from the network alone, not from what passes made on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import Graph, Node, Op, Tensor, unique_identifier
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from ..ops.requantize import Requantize
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose
from ..ops.weighted import Weighted
from .base import Pass
from .edit import PROVISIONAL

COPIES: dict[type[Op], str] = {
    Dequantize: "real", Quantize: "stored", Requantize: "rescaled", Reshape: "reshaped", Transpose: "transposed",
}  # fmt: skip
ROLES = ("input", "weight", "bias")


@dataclass(frozen=True)
class NameTensors(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        unnamed = [(t, n) for n in graph.nodes for t in n.outputs if t not in graph.outputs and needs_name(t, n)]
        taken = {t.name for t in graph.activations()} - {t.name for t, _ in unnamed}
        before = [t.name for t in tensors(graph)]
        for tensor, node in unnamed:
            tensor.name = unique_identifier(activation_name(tensor, node), taken)
            taken.add(tensor.name)
        for tensor in graph.constants():
            tensor.name = unique_identifier(constant_name(graph, tensor), taken)
            taken.add(tensor.name)
        return sum(a != t.name for a, t in zip(before, tensors(graph), strict=True))


def tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.activations()
    yield from graph.constants()


def needs_name(tensor: Tensor, node: Node) -> bool:
    return type(node.op) in COPIES or PROVISIONAL.search(tensor.name) is not None


def activation_name(tensor: Tensor, node: Node) -> str:
    if type(node.op) in COPIES:
        return f"{node.inputs[0].name}_{COPIES[type(node.op)]}"
    return f"{PROVISIONAL.sub('', tensor.name)}_{node.op.name}"


def constant_name(graph: Graph, tensor: Tensor) -> str:
    reader = next(n for n in graph.nodes if tensor in n.inputs)
    index = reader.inputs.index(tensor)
    return f"{reader.outputs[0].name}_{ROLES[index] if isinstance(reader.op, Weighted) else 'constant'}"
