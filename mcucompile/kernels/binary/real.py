"""Two real numbers: sum, difference, product, quotient, the larger, the smaller."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node, Op
from ...ops.add import Add
from ...ops.binary import Binary
from ...ops.div import Div
from ...ops.max import Max
from ...ops.min import Min
from ...ops.mul import Mul
from ...ops.sub import Sub
from ...target.cores import Core
from ..limits import Number, bounds
from .broadcast import Operands, operands
from .elementwise import Elementwise

EXPRESSIONS: dict[type[Op], str] = {
    Add: "u + v",
    Sub: "u - v",
    Mul: "u * v",
    Div: "u / v",
    Max: "u > v ? u : v",
    Min: "u < v ? u : v",
}


@dataclass(frozen=True)
class RealBinaryParams:
    operands: Operands
    expression: str
    low: Number | None
    high: Number | None


class RealBinary(Elementwise):
    op = Binary
    variant = "real"

    @property
    def template(self) -> str:
        return "kernels/binary/real.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        floats = all(t.dtype is DType.F32 for t in (*node.inputs, *node.outputs))
        return floats and type(node.op) in EXPRESSIONS

    def params(self, node: Node) -> RealBinaryParams:
        return RealBinaryParams(operands(node), EXPRESSIONS[type(node.op)], *bounds(node))

    def cycles(self, node: Node, core: Core) -> float:
        return (12.0 if core.has_fpu else 90.0) * node.output.size
