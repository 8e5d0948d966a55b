"""Sums and differences of integers on two scales, with one multiplication per operand."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.linear_sum import LinearSum, ScaledSum
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..counted import Costs
from ..limits import Limits, limits
from .one_rounding import linear_of

COSTS: Costs = {  # per element, with sums of 32 bits and of 64
    "cortex-m0": (22.9, 161.0),
    "cortex-m3": (14.1, 28.8),
    "cortex-m4": (11.8, 20.1),
    "cortex-m7": (7.48, 11.1),
    "cortex-m33": (10.3, 18.1),
    "cortex-m55": (9.76, 16.1),
}


@dataclass(frozen=True)
class LinearParams:
    operands: Operands
    fixed: LinearSum
    limits: Limits


class Linear(Elementwise):
    op = ScaledSum
    variant = "linear"
    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/add/linear.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        return is_integer(node) and linear_of(node) is not None

    def params(self, node: Node) -> LinearParams:
        fixed = linear_of(node)
        assert fixed is not None
        return LinearParams(operands(node), fixed, limits(node))

    def counts(self, node: Node) -> tuple[float, ...]:
        """Elements with sums of 32 bits, and of 64."""
        fixed, size = linear_of(node), node.output.size
        assert fixed is not None
        return (size, 0) if fixed.bits == 32 else (0, size)
