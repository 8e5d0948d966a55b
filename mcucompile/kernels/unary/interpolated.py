"""Any function of a 16-bit value: straight lines between the entries of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import DType, Node
from ...ops.requantize import Requantize
from ...ops.unary import STEP_BITS, Unary
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (30.1,),
    "cortex-m3": (18.0,),
    "cortex-m4": (18.0,),
    "cortex-m7": (13.0,),
    "cortex-m33": (17.0,),
    "cortex-m55": (15.0,),
}


@dataclass(frozen=True)
class InterpolatedParams:
    size: int
    y_type: str
    step_bits: int


class Interpolated(Counted):
    op = Unary
    variant = "interpolated"
    isa = Isa.SCALAR
    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/unary/interpolated.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        has_table = not isinstance(node.op, Requantize)
        return has_table and node.inputs[0].dtype is DType.I16 and node.output.dtype.is_integer

    def params(self, node: Node) -> InterpolatedParams:
        return InterpolatedParams(node.output.size, node.output.dtype.c, STEP_BITS)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        assert isinstance(node.op, Unary)
        assert node.op.table is not None, f"{node.where} has no table yet"
        return (Packed("table", np.asarray(node.op.table, node.output.dtype.numpy)),)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 2, node.output.dtype.nbytes)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
