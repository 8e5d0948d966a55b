"""Products of integers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.fixed_point import reach, zero_of
from ...ops.mul import Mul
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..counted import Costs
from ..scaling import Scaling, scaling

COSTS: Costs = {  # per element, rounded once, and as TensorFlow Lite does
    "cortex-m0": (41.3, 98.2),
    "cortex-m3": (16.2, 26.0),
    "cortex-m4": (12.1, 20.0),
    "cortex-m7": (9.49, 13.9),
    "cortex-m33": (12.5, 20.1),
    "cortex-m55": (10.9, 20.1),
}


@dataclass(frozen=True)
class MulParams:
    operands: Operands
    a_zero: int
    b_zero: int
    scaling: Scaling


class Plain(Elementwise):
    op = Mul
    variant = "plain"
    costs = COSTS

    def fits(self, node: Node) -> bool:
        a, b = node.inputs
        return is_integer(node) and reach(a) * reach(b) < 1 << 31

    def counts(self, node: Node) -> tuple[float, ...]:
        """Elements, where they are rounded once and where TensorFlow Lite rounds them."""
        size = node.output.size
        return (0, size) if scaling(node).gemmlowp else (size, 0)

    def params(self, node: Node) -> MulParams:
        a, b = node.inputs
        return MulParams(operands(node), zero_of(a), zero_of(b), scaling(node))
