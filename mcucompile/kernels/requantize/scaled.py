"""16-bit values on another scale, by multiplication."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.requantize import Requantize
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..scaling import Scaling, scaling
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (83.5,),
    "cortex-m3": (17.3,),
    "cortex-m4": (13.8,),
    "cortex-m7": (8.04,),
    "cortex-m33": (13.0,),
    "cortex-m55": (13.0,),
}


@dataclass(frozen=True)
class ScaledParams:
    size: int
    x_zero: int
    scaling: Scaling


class Scaled(Counted):
    op = Requantize
    variant = "scaled"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.I16 and node.output.dtype.is_integer

    def params(self, node: Node) -> ScaledParams:
        quant = node.inputs[0].quant
        assert quant
        return ScaledParams(node.output.size, quant.zero, scaling(node))

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 2, node.output.dtype.nbytes)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
