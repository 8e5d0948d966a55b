"""Depthwise convolution of int8 with 16-bit multiplications: four channels of a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.geometry import Gather, Geometry, pixel_trace
from ..conv2d.packing import folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Trace
from .direct import CHANNEL_AXIS, UNROLLED_TAPS, unrolled
from .geometry import depthwise_geometry, tap_rows

CHANNELS = 4
INT32_LIMIT = 1 << 31


@dataclass(frozen=True)
class QuadsParams:
    """`run_taps` taps lie side by side in each of the window's runs; `unroll` of them are written out."""

    g: Geometry
    run_taps: int
    unroll: int
    channel_words: int
    scaling: Scaling

    @property
    def unrolls_rows(self) -> bool:
        return self.unroll == self.run_taps and self.g.rows > 1 and self.g.rows * self.run_taps <= UNROLLED_TAPS


class Quads(Kernel):
    """The last four channels are computed as such, even if some were in the four before."""

    op = DepthwiseConv2d
    variant = "quads"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        int8 = all(t.dtype is DType.I8 for t in (x, w, y))
        bias = folded_bias(node, CHANNEL_AXIS).values if int8 else np.zeros(1)
        return int8 and x.shape[3] == y.shape[3] >= CHANNELS and bool(np.abs(bias).max() < INT32_LIMIT)

    def params(self, node: Node) -> QuadsParams:
        g, s = depthwise_geometry(node), scaling(node)
        taps = g.run // g.channels
        return QuadsParams(g, taps, unrolled(taps), 3 if s.shift is None else 2, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rows = tap_rows(node).astype(np.int16)[four_by_four(node)]  # [C/4, 4, taps]
        pairs = rows.transpose(0, 2, 1)[:, :, [0, 2, 1, 3]]
        channels = channel_constants(node, folded_bias(node, CHANNEL_AXIS).values)
        return Packed("weight", pairs), Packed("channel", channels[four_by_four(node)])

    def scratch_nbytes(self, node: Node) -> int:
        g = depthwise_geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch

    def trace(self, node: Node) -> Trace:
        return pixel_trace(depthwise_geometry(node), 1)

    def cycles(self, node: Node, core: Core) -> float:
        return 3.2 * node.op.macs(node) + 15 * node.output.size


def four_by_four(node: Node) -> Array:
    """The channels of each round, [rounds, 4]."""
    channels = node.output.shape[3]
    starts = np.minimum(np.arange(0, channels, CHANNELS), channels - CHANNELS)
    return starts[:, None] + np.arange(CHANNELS)
