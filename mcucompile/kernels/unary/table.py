"""Any function of an 8-bit value: one load from a table of 256."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.unary import Unary
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (11.0,),
    "cortex-m3": (8.01,),
    "cortex-m4": (8.01,),
    "cortex-m7": (4.85,),
    "cortex-m33": (7.01,),
    "cortex-m55": (5.03,),
}


@dataclass(frozen=True)
class TableParams:
    size: int
    x_type: str
    y_type: str
    upward: bool


class Table(Counted):
    op = Unary
    variant = "table"
    isa = Isa.SCALAR
    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/unary/table.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype in (DType.I8, DType.U8) and node.output.dtype.is_integer

    def params(self, node: Node) -> TableParams:
        x, y = node.inputs[0].dtype, node.output.dtype
        return TableParams(node.output.size, x.c, y.c, y.nbytes <= x.nbytes)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return (Packed("table", by_byte(node)),)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 1, node.output.dtype.nbytes)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)


def by_byte(node: Node) -> Array:
    """The operator's table in the order of the input's bytes: 0..127, then -128..-1 where the input is signed."""
    assert isinstance(node.op, Unary)
    assert node.op.table is not None, f"{node.where} has no table yet"
    entries = np.asarray(node.op.table, node.output.dtype.numpy)
    return np.roll(entries, 128) if node.inputs[0].dtype is DType.I8 else entries
