"""Binary convolution: per output, a tree of adders over the words of its window, or over vectors of four words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import DType, Node
from ...ops.binary_conv2d import BinaryConv2d
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..trace import Trace
from .adders import Blocks, blocks
from .results import Kind, Result, kind_of, result, result_constants
from .windows import Walk, packed_weights, pixel_trace, walk

COSTS: Costs = {  # per operation of an output's adders, output, word of a pixel's window
    "cortex-m0": (2.16, 12.2, 28.4),
    "cortex-m3": (1.36, 8.72, 13.1),
    "cortex-m4": (1.35, 2.45, 12.4),
    "cortex-m7": (0.67, 4.93, 6.56),
    "cortex-m33": (1.23, 5.81, 10.5),
    "cortex-m55": (1.21, 4.34, 5.36),
}


@dataclass(frozen=True)
class AddingParams:
    w: Walk
    outputs: int
    blocks: Blocks
    result: Result
    gathers: bool


class Adding(Counted):
    op = BinaryConv2d
    variant = "adding"
    isa: ClassVar[Isa] = Isa.SCALAR
    costs: ClassVar[Costs] = COSTS
    lanes: ClassVar[int] = 1

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.U32

    def params(self, node: Node) -> AddingParams:
        w = walk(node, self.lanes)
        return AddingParams(w, node.inputs[1].shape[0], blocks(w.vectors), result(node), gathers(w))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return Packed("weight", packed_weights(node, walk(node, self.lanes))), *result_constants(node)

    def scratch_nbytes(self, node: Node) -> int:
        w = walk(node, self.lanes)
        return -(-4 * w.filled // 8) * 8 if gathers(w) else 0

    def trace(self, node: Node) -> Trace:
        return pixel_trace(node) if gathers(walk(node, self.lanes)) else None

    def code_nbytes(self, node: Node) -> int:
        return 300 + 4 * blocks(walk(node, self.lanes).vectors).code

    def counts(self, node: Node) -> tuple[float, ...]:
        w, outputs = walk(node, self.lanes), node.inputs[1].shape[0]
        extra = 12.0 if kind_of(node) in (Kind.SCALED, Kind.REAL) else 0.0
        per_output = blocks(w.vectors).operations + extra
        return (w.pixels * outputs * per_output, float(w.pixels * outputs), float(w.pixels * w.patch))


def gathers(w: Walk) -> bool:
    """Whether windows are copied: not where the words of one pixel are taken as they are."""
    return w.pads or w.window.taps > 1 or w.triples > 0 or w.filled > w.patch


class VectorAdding(Adding):
    isa = Isa.MVE
    costs: ClassVar[Costs] = {"cortex-m55": (2.38, 1.96, 0.0)}
    lanes = 4
