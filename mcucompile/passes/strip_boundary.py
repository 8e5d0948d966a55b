"""Leave quantization at the graph's ends to the caller, who gets the scale and zero point.

input %x: float32; %q: int8 = quantize(%x)            -->   input %x: int8
%y: float32 = dequantize(%q); output %y               -->   output %y: int8
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Graph, Node, Tensor
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from .base import Pass
from .edit import Edit


@dataclass(frozen=True)
class StripBoundary(Pass):
    """Inexact in that the types of inputs and outputs change; the values in between do not."""

    exact = False

    def run(self, graph: Graph) -> int:
        changed = sum([strip_input(graph, t) for t in list(graph.inputs)])
        return changed + sum([strip_output(graph, t) for t in list(graph.outputs)])


def strip_input(graph: Graph, real: Tensor) -> bool:
    """Where the input is only read to be quantized, and always to the same scale."""
    readers = graph.readers(real)
    if not readers or real in graph.outputs or not all(isinstance(n.op, Quantize) for n in readers):
        return False
    stored = readers[0].output
    if any(n.output.quant != stored.quant for n in readers) or any(n.output in graph.outputs for n in readers):
        return False
    for node in readers:
        graph.replace_uses(node.output, stored)
        graph.remove(node)
    stored.name = real.name
    graph.inputs = [stored if t is real else t for t in graph.inputs]
    return True


def strip_output(graph: Graph, real: Tensor) -> bool:
    """Where the output is dequantized from a tensor that is nobody's input or output otherwise."""
    maker = graph.producer(real)
    if not maker or not isinstance(maker.op, Dequantize) or graph.outputs.count(real) > 1:
        return False
    (stored,) = maker.inputs
    if stored in graph.outputs or stored in graph.inputs:
        return False
    hand_over(graph, maker, stored, real)
    return True


def hand_over(graph: Graph, maker: Node, stored: Tensor, real: Tensor) -> None:
    """The stored tensor becomes the output and takes its name; the real one stays only for those who read it."""
    graph.outputs = [stored if t is real else t for t in graph.outputs]
    if graph.readers(real):
        real.name, stored.name = Edit(graph).name(real.name), real.name
    else:
        graph.remove(maker)
        stored.name = real.name
