"""Convolution of int8 with dual multiplications in blocks of three or four output pixels by two channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...encodings import MIRRORED
from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..stream import Stream, blocks
from ..trace import Trace
from .block_cycles import Amount, block_cycles
from .geometry import Gather, Geometry, geometry
from .lanes import Band, Lanes, band_of, block_geometry, lane_weights, lanes_of
from .mirrored import STEP, mirrored, mirrored_bias
from .packing import fill_groups, folded_bias
from .requantization import HighWord, fits_high_word, high_word, high_word_constants
from .rounds import Round, block_trace, rounds_of

CHANNELS = 2
UNROLL = 16  # steps that are written out, at most
REACH = 4095  # of a store's immediate offset


def split_steps(steps: int) -> tuple[int, int, int]:
    """(first, unroll, trips): the loop's steps and those before it, of which there is at least one."""
    trips = -(-steps // UNROLL)
    if trips == 1:
        return steps, 0, 0
    unroll = (steps - 1) // trips
    return steps - trips * unroll, unroll, trips


@dataclass(frozen=True)
class BlockedParams:
    """The steps of a window are `first`, then `trips` times `unroll`; `side` windows lie side by side in scratch.
    `mirrored` weights are bytes, the others int16. `staggered` loads are single ones between multiplications.
    """

    g: Geometry
    mirrored: bool
    staggered: bool
    lanes: Lanes
    band: Band | None
    first: int
    unroll: int
    trips: int
    side: int
    rounds: tuple[Round, ...]
    expanded_nbytes: int
    requant: HighWord

    @property
    def group_words(self) -> int:
        """Words of a group's weights."""
        per_step = 2 if self.mirrored else 4
        return self.g.filled_outputs(2) // 2 * (2 + per_step * self.lanes.steps + 2 * self.requant.words)

    @property
    def row_stride(self) -> int | None:
        """From one run of a window to the next, unless windows differ in that."""
        if self.band:
            return self.band.nbytes
        return None if self.g.gather is Gather.BORDER else self.g.row_stride


class Blocked(Kernel):
    """Weights of one byte, mirrored."""

    op: ClassVar[type[Op]] = Conv2d
    variant = "blocked"
    isa = Isa.DSP
    takes_step = True
    mirrored: ClassVar[bool] = True
    staggered: ClassVar[bool] = False

    @property
    def template(self) -> str:
        return "kernels/conv2d/blocked.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and 3 * geometry(node).pixel_step < REACH and fits_high_word(node)

    def params(self, node: Node) -> BlockedParams:
        g = block_geometry(node)
        lanes, rounds = lanes_of(g), rounds_of(g.pixels)
        first, unroll, trips = split_steps(lanes.steps)
        return BlockedParams(
            g, self.mirrored, self.staggered, lanes, band_of(g), first, unroll, trips, rounds[0].pixels, rounds,
            self.expanded_nbytes(node), high_word(node),
        )  # fmt: skip

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = block_geometry(node)
        return (Packed("weight", pair_stream(node, g, lanes_of(g), high_word(node), self.mirrored)),)

    def weight_stream(self, node: Node) -> Stream | None:
        """Weights of two bytes are not unpacked."""
        g = block_geometry(node)
        return pair_blocks(g, lanes_of(g), high_word(node)) if self.mirrored else None

    def expanded_nbytes(self, node: Node) -> int:
        """Two words per step of each window, and a correction of each where weights are mirrored."""
        g = block_geometry(node)
        return rounds_of(g.pixels)[0].pixels * (8 * lanes_of(g).steps + (4 if self.mirrored else 0))

    def scratch_nbytes(self, node: Node) -> int:
        g = block_geometry(node)
        band = band_of(g)
        copied = band.nbytes * g.rows if band else 0 if g.gather is Gather.NEVER else g.patch
        return self.expanded_nbytes(node) + copied

    def trace(self, node: Node) -> Trace:
        return block_trace(block_geometry(node))

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        written = 1 + max(p.first - 1, 0) + p.unroll
        per_output = 4 * (p.requant.extra_per_output(self.mirrored) + 3)
        functions = (70 + written * self.step_nbytes(r.pixels) + 2 * r.pixels * per_output for r in p.rounds)
        return sum(functions) + (160 * len(p.rounds) if p.g.is_pointwise else 500)

    def step_nbytes(self, pixels: int) -> int:
        """Code of one step: 32-bit instructions that load weights and unpack them, load values, and multiply."""
        weights, loads = 3 if self.mirrored else 2, 2 * -(-pixels // 2)
        if self.staggered and pixels == 4:
            loads += 4
        return 4 * (weights + loads + 4 * pixels)

    def cycles(self, node: Node, core: Core) -> float:
        g = block_geometry(node)
        rounds = rounds_of(g.pixels)
        amount = Amount(
            tuple(((r.last - r.first) // r.pixels, r.pixels) for r in rounds), rounds[0].pixels,
            g.groups * g.filled_outputs(CHANNELS) // CHANNELS, lanes_of(g).steps,
            0 if g.is_pointwise else g.groups * g.pixels, 0,
        )  # fmt: skip
        gathered = 4 * g.patch * g.groups * g.pixels if g.gather is Gather.ALWAYS else 0
        extra = high_word(node).extra_per_output(self.mirrored)
        return block_cycles(self.variant, core, amount, extra) + gathered


class Blocked16(Blocked):
    """Weights of two bytes, which need no unpacking and no correction."""

    variant = "blocked16"
    mirrored = False


class Staggered(Blocked16):
    """For cores that load and multiply in one cycle."""

    variant = "staggered"
    staggered = True

    def fits(self, node: Node) -> bool:
        return super().fits(node) and rounds_of(block_geometry(node).pixels)[0].pixels == 4


def pair_stream(node: Node, g: Geometry, lanes: Lanes, requant: HighWord, is_mirrored: bool) -> Array:
    """int32 [O/2, words]: for each pair of channels the biases, the weights step by step, and the scales."""
    rows = fill_groups(lane_weights(node, g, lanes), g.groups, CHANNELS)
    bias = fill_groups(folded_bias(node).values.astype(np.int64), g.groups, CHANNELS)
    if is_mirrored:
        bias, words = mirrored_bias(bias, rows), mirrored(rows, CHANNELS).copy().view(np.int32)
    else:
        factor = 2 if requant.doubled else 1
        bias, words = factor * bias, paired(factor * rows.astype(np.int16))
    scales = fill_groups(high_word_constants(node, requant), g.groups, CHANNELS)
    parts = (modulo_word(bias), words, scales)
    return np.concatenate([a.reshape(len(rows) // CHANNELS, -1).astype(np.int32) for a in parts], axis=1)


def pair_blocks(g: Geometry, lanes: Lanes, requant: HighWord) -> Stream:
    """The form of `pair_stream` for mirrored weights."""
    pairs = g.groups * g.filled_outputs(CHANNELS) // CHANNELS
    return blocks(pairs, CHANNELS, CHANNELS * STEP * lanes.steps, CHANNELS * requant.words, mask=MIRRORED)


def paired(rows: Array) -> Array:
    """int16 [O, K] as int32 [O/2, K/4, 2, 2]: the values at even places of both channels, then those at odd places."""
    by_step = rows.reshape(-1, CHANNELS, rows.shape[1] // STEP, STEP).transpose(0, 2, 1, 3)
    halves = np.stack([by_step[..., 0::2], by_step[..., 1::2]], axis=2)  # [O/2, K/4, even or odd, channel, 2]
    return np.ascontiguousarray(halves).view(np.int32)[..., 0]


def modulo_word(values: Array) -> Array:
    """int64 as int32: sums are formed modulo 2**32, and only the whole sum need fit."""
    return np.ascontiguousarray(values.astype(np.int64)).astype(np.uint64).astype(np.uint32).view(np.int32)
