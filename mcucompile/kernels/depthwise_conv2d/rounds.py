"""What depthwise kernels share that compute several channels of a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..conv2d.geometry import Gather, Geometry, pixel_trace
from ..conv2d.packing import fits_int32, folded_bias
from ..kernel import Kernel
from ..scaling import Scaling, scaling
from ..trace import Trace
from .geometry import UNROLLED_TAPS, depthwise_geometry, unrolled


@dataclass(frozen=True)
class RoundsParams:
    """`run_taps` taps lie side by side in each of the window's runs; `unroll` of them are written out.

    `channel_words` are the constants of an output channel or, where they are packed so, of a round's channels.
    """

    g: Geometry
    run_taps: int
    unroll: int
    channel_words: int
    scaling: Scaling

    @property
    def unrolls_rows(self) -> bool:
        return self.unroll == self.run_taps and self.g.rows > 1 and self.g.rows * self.run_taps <= UNROLLED_TAPS


class Rounds(Kernel):
    """Base: int8, one output channel per input channel, `channels` in a round.

    The last channels are computed as a round, even if some were in the one before.
    """

    op: ClassVar[type[Op]] = DepthwiseConv2d
    channels: ClassVar[int]
    words_of: ClassVar[int] = 1  # channels whose constants lie together

    def fits(self, node: Node) -> bool:
        x, w, y = node.inputs[0], node.inputs[1], node.output
        if not all(t.dtype is DType.I8 for t in (x, w, y)):
            return False
        return x.shape[3] == y.shape[3] >= self.channels and fits_int32(folded_bias(node).values)

    def params(self, node: Node) -> RoundsParams:
        g, s = depthwise_geometry(node), scaling(node)
        taps = g.run // g.channels
        return RoundsParams(g, taps, unrolled(taps), self.words_of * (3 if s.shift is None else 2), s)

    def rounds(self, node: Node) -> Array:
        """The channels of each round, [rounds, channels]."""
        total = node.output.shape[3]
        starts = np.minimum(np.arange(0, total, self.channels), total - self.channels)
        return starts[:, None] + np.arange(self.channels)

    def scratch_nbytes(self, node: Node) -> int:
        g = depthwise_geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch

    def trace(self, node: Node) -> Trace:
        return pixel_trace(depthwise_geometry(node), 1)
