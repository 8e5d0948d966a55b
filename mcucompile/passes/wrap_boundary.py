"""Let the caller hand over floats: quantize the graph's inputs and dequantize its outputs inside the network.

before  input %x: int8    -->   input %x: float32; %x_stored: int8 = quantize(%x)
before  output %y: int8   -->   %y: float32 = dequantize(%y_stored); output %y
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import DType, Graph, Node, Tensor
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from .base import Pass


@dataclass(frozen=True)
class WrapBoundary(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        inputs = [t for t in graph.inputs if t.quant]
        outputs = [t for t in dict.fromkeys(graph.outputs) if t.quant]
        for stored in inputs:
            real = renamed(graph, stored)
            graph.inputs = [real if t is stored else t for t in graph.inputs]
            graph.nodes.insert(0, Node(Quantize(), [real], [stored], ("--io float",)))
        for stored in outputs:
            real = renamed(graph, stored)
            graph.outputs = [real if t is stored else t for t in graph.outputs]
            graph.nodes.append(Node(Dequantize(), [stored], [real], ("--io float",)))
        return len(inputs) + len(outputs)


def renamed(graph: Graph, stored: Tensor) -> Tensor:
    """A float tensor under the stored tensor's name, which gives that up."""
    name = stored.name
    stored.name = graph.fresh_name(f"{name}_stored")
    return Tensor(name, stored.shape, DType.F32)
