"""Products of integers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.fixed_point import reach, zero_of
from ...ops.mul import Mul
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..scaling import Scaling, scaling


@dataclass(frozen=True)
class MulParams:
    operands: Operands
    a_zero: int
    b_zero: int
    scaling: Scaling


class Plain(Elementwise):
    op = Mul
    variant = "plain"
    per_element = 24.0

    def fits(self, node: Node) -> bool:
        a, b = node.inputs
        return is_integer(node) and reach(a) * reach(b) < 1 << 31

    def params(self, node: Node) -> MulParams:
        a, b = node.inputs
        return MulParams(operands(node), zero_of(a), zero_of(b), scaling(node))
