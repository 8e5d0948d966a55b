"""What all kernels on two operands have in common."""

from __future__ import annotations

from typing import ClassVar

from ...ir import Node
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..trace import Trace
from .broadcast import broadcast_trace, constant_operands


class Elementwise(Counted):
    """Base: subclasses say which nodes they fit and what the template prints for one pair of values."""

    isa = Isa.SCALAR
    costs: ClassVar[Costs] = {"cortex-m4": (16.0,)}

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return constant_operands(node)

    def trace(self, node: Node) -> Trace:
        return broadcast_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)


def is_integer(node: Node) -> bool:
    """Whether operands and output are all integers; a constant operand too."""
    return all(t.dtype.is_integer for t in (*node.inputs, *node.outputs))
