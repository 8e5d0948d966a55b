"""Name every constant after the tensor that it helps to compute.

    %y = conv2d(%sequential_Conv2D_ReadVariableOp_1, ...)   -->   %y = conv2d(%x, %y_weight, %y_bias)

So the names in the C do not depend on how many constants passes made on the way, nor on the model file's.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Graph, Node, unique_identifier
from .base import Pass
from .edit import PROVISIONAL
from .fuse_bias import LAYERS

ROLES = ("input", "weight", "bias")


@dataclass(frozen=True)
class NameConstants(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        taken = {t.name for t in graph.activations()}
        renamed = 0
        for tensor in graph.constants():
            reader = next(n for n in graph.nodes if tensor in n.inputs)
            name = unique_identifier(wanted(reader, reader.inputs.index(tensor)), taken)
            taken.add(name)
            renamed += tensor.name != name
            tensor.name = name
        return renamed


def wanted(reader: Node, index: int) -> str:
    base = PROVISIONAL.sub("", reader.outputs[0].name)
    return f"{base}_{ROLES[index] if isinstance(reader.op, LAYERS) else 'constant'}"
