"""Convolution of float32 on any core: one pixel, two output channels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..limits import bounds
from ..trace import Trace
from .direct import CHANNELS
from .geometry import Gather, Geometry, geometry, pixel_trace
from .packing import filled, folded_bias, interleaved_weights

SOFT_FLOAT_CYCLES = 100


@dataclass(frozen=True)
class RealParams:
    g: Geometry
    low: float | None
    high: float | None


class Real(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "real"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all(t.dtype is DType.F32 for t in (*node.inputs, node.output))

    def params(self, node: Node) -> RealParams:
        return RealParams(geometry(node), *bounds(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node)
        return interleaved_weights(node, g, CHANNELS), filled(folded_bias(node), g.groups, CHANNELS)

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch * g.element.nbytes

    def trace(self, node: Node) -> Trace:
        return pixel_trace(geometry(node), node.output.dtype.nbytes)

    def cycles(self, node: Node, core: Core) -> float:
        return (6.5 if core.has_fpu else SOFT_FLOAT_CYCLES) * node.op.macs(node) + 10 * node.output.size
