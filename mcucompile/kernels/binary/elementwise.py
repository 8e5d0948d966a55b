"""What all kernels on two operands have in common."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..trace import Trace
from .broadcast import broadcast_trace, constant_operands


class Elementwise(Kernel):
    """Base: subclasses say which nodes they fit and what the template prints for one pair of values."""

    isa = Isa.SCALAR
    per_element = 16.0  # cycles

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return constant_operands(node)

    def trace(self, node: Node) -> Trace:
        return broadcast_trace(node)

    def cycles(self, node: Node, core: Core) -> float:
        return self.per_element * node.output.size


def is_integer(node: Node) -> bool:
    """Whether operands and output are all integers; a constant operand too."""
    return all(t.dtype.is_integer for t in (*node.inputs, *node.outputs))
