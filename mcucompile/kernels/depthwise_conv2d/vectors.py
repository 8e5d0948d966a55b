"""Depthwise convolution of int8 with vectors: eight channels of a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import Core, Isa
from ..conv2d.geometry import Gather, Geometry, pixel_trace
from ..conv2d.packing import folded_bias
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, vector_constants
from ..trace import Trace
from .direct import CHANNEL_AXIS, unrolled
from .geometry import depthwise_geometry, tap_rows

CHANNELS = 8
INT32_LIMIT = 1 << 31


@dataclass(frozen=True)
class VectorsParams:
    """`run_taps` taps lie side by side in each of the window's runs; `unroll` of them are written out."""

    g: Geometry
    run_taps: int
    unroll: int
    channel_words: int
    scaling: Scaling


class Vectors(Kernel):
    """The last eight channels are computed as such, even if some were in the eight before."""

    op = DepthwiseConv2d
    variant = "vectors"
    isa = Isa.MVE

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)) or not scaling(node).high_word:
            return False
        bias = folded_bias(node, CHANNEL_AXIS).values
        return x.shape[3] == y.shape[3] >= CHANNELS and bool(np.abs(bias).max() < INT32_LIMIT)

    def params(self, node: Node) -> VectorsParams:
        g, s = depthwise_geometry(node), scaling(node)
        taps = g.run // g.channels
        return VectorsParams(g, taps, unrolled(taps), CHANNELS * (3 if s.shift is None else 2), s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rounds = eight_by_eight(node)
        weights = tap_rows(node)[rounds].transpose(0, 2, 1)  # [rounds, taps, 8]
        channels = vector_constants(node, folded_bias(node, CHANNEL_AXIS).values)[rounds]  # [rounds, 8, 2 or 3]
        halves = channels.reshape(len(rounds), 4, 2, -1).transpose(0, 3, 2, 1)  # even channels, then odd ones
        return Packed("weight", weights), Packed("channel", halves)

    def scratch_nbytes(self, node: Node) -> int:
        g = depthwise_geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch

    def trace(self, node: Node) -> Trace:
        return pixel_trace(depthwise_geometry(node), 1)

    def cycles(self, node: Node, core: Core) -> float:
        return 1.3 * node.op.macs(node) + 10 * node.output.size


def eight_by_eight(node: Node) -> Array:
    """The channels of each round, [rounds, 8]."""
    channels = node.output.shape[3]
    starts = np.minimum(np.arange(0, channels, CHANNELS), channels - CHANNELS)
    return starts[:, None] + np.arange(CHANNELS)
