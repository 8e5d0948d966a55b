"""Signs, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.sign import Sign
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..limits import Number
from ..sweeps import Access, upward
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (14.0,),
    "cortex-m3": (10.0,),
    "cortex-m4": (10.0,),
    "cortex-m7": (7.0,),
    "cortex-m33": (10.0,),
    "cortex-m55": (8.0,),
}


@dataclass(frozen=True)
class SignParams:
    """`results`: what is stored for numbers below, at and above zero, which is stored as `x_zero`."""

    size: int
    x_type: str
    y_type: str
    x_zero: int
    results: tuple[Number, Number, Number]


class Plain(Counted):
    op = Sign
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        x, y = node.inputs[0], node.output
        return (x.quant is None) == (y.quant is None)

    def params(self, node: Node) -> SignParams:
        x, y, op = node.inputs[0], node.output, node.op
        assert isinstance(op, Sign)
        signs = (-1.0, float(op.at_zero), 1.0)
        below, at, above = (y.quant.integer(s) if y.quant else s for s in signs)
        return SignParams(y.size, x.dtype.c, y.dtype.c, x.quant.zero if x.quant else 0, (below, at, above))

    def trace(self, node: Node) -> Trace:
        x, y = node.inputs[0].dtype.nbytes, node.output.dtype.nbytes
        return upward(node.output.size, [Access(0, x, x)], [Access(1, y, y)])

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
