"""Convolution of integers on any core: one pixel, two output channels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, is_wide, scaling, scaling_constants
from ..stream import Stream, whole
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .packing import filled, folded_bias, interleaved_weights

CHANNELS = 2


@dataclass(frozen=True)
class DirectParams:
    g: Geometry
    x_type: str
    w_type: str
    bias_type: str
    acc_type: str
    scaling: Scaling


class Direct(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "direct"
    isa = Isa.SCALAR
    takes_step = True

    def fits(self, node: Node) -> bool:
        return all(t.dtype in (DType.I8, DType.I16) for t in (node.inputs[0], node.inputs[1], node.output))

    def params(self, node: Node) -> DirectParams:
        x, w, _ = node.inputs
        wide = is_wide(node)
        acc_type = "int64_t" if wide else "int32_t"
        bias_type = folded_bias(node).dtype.c
        return DirectParams(geometry(node), x.dtype.c, w.dtype.c, bias_type, acc_type, scaling(node, wide))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node)
        per_channel = (folded_bias(node), *scaling_constants(node, g.out_channels, is_wide(node)))
        return interleaved_weights(node, g, CHANNELS), *(filled(p, g.groups, CHANNELS) for p in per_channel)

    def weight_stream(self, node: Node) -> Stream | None:
        return whole(self.constants(node)[0].values) if node.inputs[1].dtype is DType.I8 else None

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch * g.element.nbytes

    def trace(self, node: Node) -> Trace:
        return pixel_trace(geometry(node), node.output.dtype.nbytes)

    def code_nbytes(self, node: Node) -> int:
        return {Gather.NEVER: 420, Gather.BORDER: 780, Gather.ALWAYS: 580}[geometry(node).gather]

    def cycles(self, node: Node, core: Core) -> float:
        unroll = geometry(node).unroll
        per_mac, per_output = (6.6 + 2.2 / unroll, 75.0) if core.cpu.startswith("cortex-m0") else (4.2, 20.0)
        if scaling(node, is_wide(node)).shift is None:
            per_output *= 1.6
        return per_mac * node.op.macs(node) + per_output * node.output.size
