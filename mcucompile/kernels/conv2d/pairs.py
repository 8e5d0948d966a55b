"""Convolution of int8 with dual multiplications: two output pixels by two channels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, scaling
from ..trace import Trace
from .geometry import Gather, Geometry, geometry, pixel_trace
from .mirrored import STEP, mirrored, mirrored_bias
from .packing import fill_groups, fits_int32, folded_bias, weight_rows

CHANNELS = 2
PIXELS = 2


@dataclass(frozen=True)
class PairsParams:
    """`steps` of four values make a window; `unroll` of them are written out, `run_unroll` when a run is expanded;
    `channel_words` are the constants of an output channel.
    """

    g: Geometry
    steps: int
    unroll: int
    run_unroll: int
    expanded_nbytes: int
    channel_words: int
    scaling: Scaling


class Pairs(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "pairs"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and fits_int32(pair_bias(node))

    def params(self, node: Node) -> PairsParams:
        g, s = geometry(node, STEP), scaling(node)
        steps = g.patch // STEP
        words = 3 if s.shift is None else 2
        return PairsParams(g, steps, unrolled(steps), unrolled(g.run // STEP), expanded_nbytes(steps), words, s)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node, STEP)
        rows = fill_groups(flat_rows(node, g), g.groups, CHANNELS)
        channels = channel_constants(node, pair_bias(node))
        return (
            Packed("weight", mirrored(rows, CHANNELS)),
            Packed("channel", fill_groups(channels, g.groups, CHANNELS)),
        )

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node, STEP)
        return expanded_nbytes(g.patch // STEP) + (0 if g.gather is Gather.NEVER else g.patch)

    def trace(self, node: Node) -> Trace:
        g = geometry(node, STEP)
        return pixel_trace(g, 1, PIXELS, reads_first=g.groups == 1)

    def cycles(self, node: Node, core: Core) -> float:
        g = geometry(node, STEP)
        macs = g.pixels * g.groups * g.filled_outputs(CHANNELS) * g.patch
        gathered = g.pixels * g.groups * g.patch * (6 if g.gather is Gather.ALWAYS else 3)
        return 1.3 * macs + gathered + 14 * node.output.size + 60 * g.pixels * g.groups


def unrolled(steps: int) -> int:
    return next(u for u in (4, 3, 2, 1) if steps % u == 0)


def expanded_nbytes(steps: int) -> int:
    """Two windows of two words per step, and a correction for each."""
    return 16 * steps + 8


def flat_rows(node: Node, g: Geometry) -> Array:
    """The weights as [O, patch]."""
    return weight_rows(node, g).reshape(g.out_channels, g.patch)


def pair_bias(node: Node) -> Array:
    """The int64 bias per channel, for weights as `mirrored` stores them."""
    return mirrored_bias(folded_bias(node).values, flat_rows(node, geometry(node, STEP)))
