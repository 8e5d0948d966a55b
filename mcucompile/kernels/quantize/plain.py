"""Real values to stored integers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.quantize import Quantize
from ...target.cores import Core, Isa
from ..kernel import Kernel
from ..sweeps import elementwise
from ..trace import Trace


@dataclass(frozen=True)
class QuantizeParams:
    """`low` and `high` limit round(x / scale), before the zero is added; `rounding` is the function that rounds."""

    size: int
    y_type: str
    scale: float
    zero: int
    low: int
    high: int
    rounding: str


class Plain(Kernel):
    op = Quantize
    variant = "plain"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.F32 and node.output.dtype in (DType.I8, DType.U8, DType.I16)

    def params(self, node: Node) -> QuantizeParams:
        quant, op = node.output.quant, node.op
        assert quant
        assert isinstance(op, Quantize)
        rounding = "mcu_round_away" if op.ties_away else "mcu_round_even"
        low, high = quant.dtype.low - quant.zero, quant.dtype.high - quant.zero
        return QuantizeParams(node.output.size, quant.dtype.c, quant.scale, quant.zero, low, high, rounding)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 4, node.output.dtype.nbytes)

    def cycles(self, node: Node, core: Core) -> float:
        return (35.0 if core.has_fpu else 400.0) * node.output.size
