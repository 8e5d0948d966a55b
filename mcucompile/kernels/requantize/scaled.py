"""16-bit values on another scale, by multiplication."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.requantize import Requantize
from ...target.cores import Core, Isa
from ..kernel import Kernel
from ..scaling import Scaling, scaling
from ..sweeps import elementwise
from ..trace import Trace


@dataclass(frozen=True)
class ScaledParams:
    size: int
    x_zero: int
    scaling: Scaling


class Scaled(Kernel):
    op = Requantize
    variant = "scaled"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.I16 and node.output.dtype.is_integer

    def params(self, node: Node) -> ScaledParams:
        quant = node.inputs[0].quant
        assert quant
        return ScaledParams(node.output.size, quant.zero, scaling(node))

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 2, node.output.dtype.nbytes)

    def cycles(self, node: Node, core: Core) -> float:
        return 25.0 * node.output.size
