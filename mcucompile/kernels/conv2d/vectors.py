"""Convolution of int8 with vectors of 16 products: up to two output pixels by four channels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, vector_constants
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .packing import fill_groups, fits_int32, folded_bias, weight_rows

LANES = 16
CHANNELS = 4


@dataclass(frozen=True)
class VectorsParams:
    """`pixels` windows are multiplied at once; `channel_words` are the constants of four channels."""

    g: Geometry
    pixels: int
    channel_words: int
    scaling: Scaling


class Vectors(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "vectors"
    isa = Isa.MVE

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and scaling(node).high_word and fits_int32(bias_of(node))

    def params(self, node: Node) -> VectorsParams:
        g, s = geometry(node, LANES), scaling(node)
        return VectorsParams(g, pixels_at_once(g), CHANNELS * (3 if s.shift is None else 2), s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node, LANES)
        rows = fill_groups(weight_rows(node, g).reshape(g.out_channels, g.patch), g.groups, CHANNELS)
        blocks = rows.reshape(-1, CHANNELS, g.patch // LANES, LANES).transpose(0, 2, 1, 3)
        channels = fill_groups(vector_constants(node, bias_of(node)), g.groups, CHANNELS)
        by_block = channels.reshape(-1, CHANNELS, channels.shape[1]).transpose(0, 2, 1)
        return Packed("weight", blocks), Packed("channel", by_block)

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node, LANES)
        return 0 if g.gather is Gather.NEVER else pixels_at_once(g) * g.patch

    def trace(self, node: Node) -> Trace:
        g = geometry(node, LANES)
        return pixel_trace(g, 1, pixels_at_once(g))

    def cycles(self, node: Node, core: Core) -> float:
        g = geometry(node, LANES)
        macs = g.pixels * g.groups * g.filled_outputs(CHANNELS) * g.patch
        gathered = g.pixels * g.groups * g.patch * (5 if g.gather is Gather.ALWAYS else 0.5)
        return 0.24 * macs + gathered + 6 * node.output.size + 40 * g.pixels


def pixels_at_once(g: Geometry) -> int:
    return min(g.pixels, 2)


def bias_of(node: Node) -> Array:
    return folded_bias(node).values
