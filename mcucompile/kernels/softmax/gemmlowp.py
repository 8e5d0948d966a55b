"""Softmax of int8 as TensorFlow Lite computes it."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.softmax import GemmlowpReciprocal, Softmax
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..limits import Limits, limits
from .rows import RowKernel, Rows, exp_constants, rows

COSTS: Costs = {  # per element and row
    "cortex-m0": (161.0, 690.0),
    "cortex-m3": (51.9, 175.0),
    "cortex-m4": (44.6, 144.0),
    "cortex-m7": (27.9, 86.1),
    "cortex-m33": (42.4, 150.0),
    "cortex-m55": (34.1, 165.0),
}


@dataclass(frozen=True)
class GemmlowpParams:
    rows: Rows
    output_bits: int
    limits: Limits


class Gemmlowp(Counted, RowKernel):
    op = Softmax
    variant = "gemmlowp"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, Softmax)
        return isinstance(node.op.scaling, GemmlowpReciprocal)

    def params(self, node: Node) -> GemmlowpParams:
        assert isinstance(node.op, Softmax)
        assert isinstance(node.op.scaling, GemmlowpReciprocal)
        return GemmlowpParams(rows(node), node.op.scaling.output_bits, limits(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return exp_constants(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return node.output.size, rows(node).count
