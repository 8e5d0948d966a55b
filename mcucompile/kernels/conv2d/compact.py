"""Convolution of int8 whose sizes are arguments, so that all layers of a network share one function, or two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...ir import DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed, Tile
from ..stream import Stream
from ..trace import Trace
from .block_cycles import Amount, block_cycles
from .blocked import CHANNELS, pair_blocks, pair_stream
from .geometry import Gather, Geometry, geometry
from .lanes import Lanes, lanes_of
from .mirrored import STEP
from .requantization import HighWord, fits_high_word, high_word
from .rounds import compact_trace

PIXELS = 3
UNROLL = 8
STEP_CODE_NBYTES = 68
HEADER_WORDS = 6  # behind the expanded windows: what the assembly reads besides them


@dataclass(frozen=True)
class CompactParams:
    """`side` windows lie side by side in scratch. `is_tile`: pixels are further apart than there are channels."""

    is_pointwise: bool
    requant: HighWord
    is_tile: bool = False
    mirrored: bool = True
    staggered: bool = False
    side: int = PIXELS
    unroll: int = UNROLL
    step_code_nbytes: int = STEP_CODE_NBYTES


class Compact(Kernel):
    """Three pixels by two channels at a time; the last block repeats the last pixel."""

    op: ClassVar[type[Op]] = Conv2d
    variant = "compact"
    isa = Isa.DSP
    takes_step = True

    @property
    def template(self) -> str:
        return "kernels/conv2d/compact.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output)):
            return False
        g = geometry(node)
        if g.gather is Gather.ALWAYS or g.run < STEP or not fits_high_word(node):
            return False
        requant = high_word(node)
        return requant.low is None and requant.high is None

    def params(self, node: Node) -> CompactParams:
        return CompactParams(geometry(node).is_pointwise, shared_requant(node), isinstance(node, Tile))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = geometry(node)
        return (
            Packed("weight", pair_stream(node, g, run_lanes(g), shared_requant(node), True)),
            Packed("shape", np.asarray(shape_of(node, g), np.int32)),
        )

    def weight_stream(self, node: Node) -> Stream:
        g = geometry(node)
        return pair_blocks(g, run_lanes(g), shared_requant(node))

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node)
        return expanded_nbytes(g) + 4 * HEADER_WORDS + (0 if g.gather is Gather.NEVER else g.patch)

    def trace(self, node: Node) -> Trace:
        return compact_trace(geometry(node), PIXELS)

    def code_nbytes(self, node: Node) -> int:
        return 1150 if geometry(node).is_pointwise else 1700

    def cycles(self, node: Node, core: Core) -> float:
        g = geometry(node)
        windows = 0 if g.is_pointwise else g.pixels
        amount = Amount(
            ((-(-g.pixels // PIXELS), PIXELS),), PIXELS, g.filled_outputs(CHANNELS) // CHANNELS,
            run_lanes(g).steps, windows, windows * g.rows,
        )  # fmt: skip
        return block_cycles(self.variant, core, amount, high_word(node).extra_per_output(True))


def run_lanes(g: Geometry) -> Lanes:
    """The last values of a run are always the end of a word, even where several runs could share one."""
    lanes = lanes_of(g)
    return replace(lanes, overlaps=lanes.overlaps or lanes.rest > 0, rest=0)


def shared_requant(node: Node) -> HighWord:
    """Parameters that layers share: shift and offset are arguments, for which 0 stands, or given per channel."""
    requant = high_word(node)
    per_channel = requant.shift is None or requant.doubled
    return replace(requant, shift=None if per_channel else 0, offset=None, signed=requant.doubled)


def expanded_nbytes(g: Geometry) -> int:
    return PIXELS * (8 * run_lanes(g).steps + 4)


def shape_of(node: Node, g: Geometry) -> list[int]:
    """The arguments in the order of the enumeration in the template."""
    requant, steps = high_word(node), run_lanes(g).steps
    skipped = -steps % UNROLL * STEP_CODE_NBYTES
    sizes = [g.run, g.out_channels, g.pixels, steps, requant.offset or 0, requant.shift or 0, skipped]
    step = [g.pixel_step] if isinstance(node, Tile) else []
    if g.is_pointwise:
        return sizes + step
    (kh, kw), (sh, sw), (top, left, *_) = g.window.kernel, g.window.strides, g.window.pads
    return [*sizes, g.channels, g.height, g.width, g.out_height, g.out_width, kh, kw, sh, sw, top, left, g.fill, *step]
