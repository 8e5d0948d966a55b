"""Depthwise convolution on any core, one output at a time."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.geometry import Gather, Geometry, pixel_trace
from ..conv2d.packing import folded_bias
from ..kernel import Kernel, Packed
from ..limits import bounds
from ..scaling import Scaling, is_wide, scaling, scaling_constants
from ..stream import Stream, whole
from ..trace import Trace
from .geometry import depthwise_geometry, tap_rows, unrolled

SOFT_FLOAT_CYCLES = 100


@dataclass(frozen=True)
class DirectParams:
    """`multiplier` output channels per input channel; `scaling` of integers, `low` and `high` of float32.

    `run_taps` taps lie side by side in each of the window's runs; `unroll` of them are written out.
    """

    g: Geometry
    multiplier: int
    run_taps: int
    unroll: int
    x_type: str
    w_type: str
    bias_type: str
    acc_type: str
    scaling: Scaling | None
    low: float | None = None
    high: float | None = None


class Direct(Kernel):
    op = DepthwiseConv2d
    variant = "direct"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        kinds = [t.dtype for t in (node.inputs[0], node.inputs[1], node.output)]
        return all(k in (DType.I8, DType.I16) for k in kinds) or all(k is DType.F32 for k in kinds)

    def params(self, node: Node) -> DirectParams:
        g, x, w = depthwise_geometry(node), node.inputs[0].dtype, node.inputs[1].dtype
        taps = g.run // g.channels
        sizes = (g.out_channels // g.channels, taps, unrolled(taps))
        if x is DType.F32:
            low, high = bounds(node)
            return DirectParams(g, *sizes, x.c, w.c, x.c, x.c, None, low, high)
        acc_type = "int64_t" if is_wide(node) else "int32_t"
        bias_type = folded_bias(node).dtype.c
        return DirectParams(g, *sizes, x.c, w.c, bias_type, acc_type, scaling(node, is_wide(node)))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        constants = (Packed("weight", tap_rows(node)), folded_bias(node))
        if node.inputs[0].dtype is DType.F32:
            return constants
        return *constants, *scaling_constants(node, node.output.shape[-1], is_wide(node))

    def weight_stream(self, node: Node) -> Stream | None:
        return whole(self.constants(node)[0].values) if node.inputs[1].dtype is DType.I8 else None

    def scratch_nbytes(self, node: Node) -> int:
        g = depthwise_geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch * g.element.nbytes

    def trace(self, node: Node) -> Trace:
        return pixel_trace(depthwise_geometry(node), node.output.dtype.nbytes)

    def cycles(self, node: Node, core: Core) -> float:
        soft = node.inputs[0].dtype is DType.F32 and not core.has_fpu
        per_mac, per_output = (15.0, 80.0) if core.cpu.startswith("cortex-m0") else (7.0, 25.0)
        if not soft and node.inputs[0].dtype is not DType.F32 and scaling(node, is_wide(node)).shift is None:
            per_output *= 1.5
        return (SOFT_FLOAT_CYCLES if soft else per_mac) * node.op.macs(node) + per_output * node.output.size
