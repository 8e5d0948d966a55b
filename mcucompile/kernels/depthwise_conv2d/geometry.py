"""How the depthwise kernels walk: a window is `rows` runs of all channels of each tap."""

from __future__ import annotations

from ...ir import Array, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..conv2d.geometry import Gather, Geometry

UNROLLED_TAPS = 16


def depthwise_geometry(node: Node) -> Geometry:
    """Windows of all channels; dilated ones are always gathered, so that taps are one pixel apart."""
    op, x, y = node.op, node.inputs[0], node.output
    assert isinstance(op, DepthwiseConv2d)
    (n, h, w, c), (_, oh, ow, o) = x.shape, y.shape
    kh, kw = op.window.kernel
    padded = Gather.BORDER if any(op.window.pads) else Gather.NEVER
    gather = padded if op.window.dilations == (1, 1) else Gather.ALWAYS
    rows, run = (1, kh * kw * c) if gather is Gather.ALWAYS else (kh, kw * c)
    fill = x.quant.zero if x.quant else 0
    return Geometry(n, h, w, c, oh, ow, o, 1, op.window, gather, rows, run, fill, x.dtype, o)


def unrolled(taps: int) -> int:
    """How many taps of a run are written out."""
    return next(u for u in range(min(taps, UNROLLED_TAPS), 0, -1) if taps % u == 0)


def tap_rows(node: Node) -> Array:
    """The weights as [O, taps]."""
    weight = node.inputs[1].const
    assert weight is not None
    return weight.reshape(-1, weight.shape[2]).T
