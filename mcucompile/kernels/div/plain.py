"""Quotients of integers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.div import Div, Quotient
from ...ops.fixed_point import zero_of
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..limits import Limits, limits


@dataclass(frozen=True)
class DivParams:
    operands: Operands
    fixed: Quotient
    a_zero: int
    b_zero: int
    y_zero: int
    limits: Limits

    @property
    def word(self) -> str:
        return f"int{self.fixed.bits}_t"


class Plain(Elementwise):
    op = Div
    variant = "plain"
    costs = {"cortex-m4": (60.0,)}

    def fits(self, node: Node) -> bool:
        return is_integer(node)

    def params(self, node: Node) -> DivParams:
        (a, b), y = node.inputs, node.output
        assert isinstance(node.op, Div)
        assert node.op.fixed is not None, f"{node.where} has no fixed-point constants yet"
        return DivParams(operands(node), node.op.fixed, zero_of(a), zero_of(b), zero_of(y), limits(node))
