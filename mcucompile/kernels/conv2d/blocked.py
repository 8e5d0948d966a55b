"""Convolution of int8 with dual multiplications in blocks of three or four output pixels by two channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..trace import Range, Sweep, Trace
from .geometry import Gather, Geometry, geometry, window_span
from .mirrored import STEP, mirrored, mirrored_bias
from .packing import fill_groups, folded_bias, weight_rows
from .requantization import HighWord, fits_high_word, high_word, high_word_constants

CHANNELS = 2
UNROLL = 16  # steps that are written out, at most
REACH = 4095  # of a store's immediate offset


@dataclass(frozen=True)
class Round:
    """Pixels first to last, `pixels` at a time."""

    first: int
    last: int
    pixels: int


@dataclass(frozen=True)
class BlockedParams:
    """A window is `steps` of four values: `first` of them, then `trips` times `unroll`; `lanes` windows lie side by
    side in scratch. `mirrored` weights are bytes, the others int16. `run_unroll` words of a run are written out.
    """

    g: Geometry
    mirrored: bool
    steps: int
    first: int
    unroll: int
    trips: int
    lanes: int
    rounds: tuple[Round, ...]
    run_unroll: int
    expanded_nbytes: int
    requant: HighWord

    @property
    def group_words(self) -> int:
        """Words of a group's weights."""
        per_step = 2 if self.mirrored else 4
        return self.g.filled_outputs(2) // 2 * (2 + per_step * self.steps + 2 * self.requant.words)

    @property
    def values(self) -> int:
        """Values of a run that are there; those behind them in the last word are 0."""
        return self.g.run if self.g.gather is Gather.ALWAYS else self.g.run - self.g.tail


def rounds_of(count: int) -> tuple[Round, ...]:
    """Blocks of four pixels, three where that leaves none over, or first fours, then threes."""
    if count < 3 or count % 4 == 0 or count % 3 == 0:
        size = count if count < 3 else 3 if count % 4 else 4
        return (Round(0, count, size),)
    if count == 5:
        return Round(0, 3, 3), Round(3, 5, 2)
    fours = count - 3 * (-count % 4)
    return tuple(Round(a, b, size) for a, b, size in ((0, fours, 4), (fours, count, 3)) if a < b)


def block_geometry(node: Node) -> Geometry:
    """Windows of a single tap are read where they are, whatever their length."""
    g = geometry(node, STEP)
    is_single = g.window.kernel == (1, 1) and g.groups == 1 and not any(g.window.pads)
    return replace(g, gather=Gather.NEVER) if is_single else g


def split_steps(steps: int) -> tuple[int, int, int]:
    """(first, unroll, trips): the loop's steps and those before it, of which there is at least one."""
    trips = -(-steps // UNROLL)
    if trips == 1:
        return steps, 0, 0
    unroll = (steps - 1) // trips
    return steps - trips * unroll, unroll, trips


class Blocked(Kernel):
    """Weights of one byte, mirrored."""

    op: ClassVar[type[Op]] = Conv2d
    variant = "blocked"
    isa = Isa.DSP
    mirrored: ClassVar[bool] = True

    @property
    def template(self) -> str:
        return "kernels/conv2d/blocked.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and 3 * node.output.shape[-1] < REACH and fits_high_word(node)

    def params(self, node: Node) -> BlockedParams:
        g, nbytes = block_geometry(node), self.expanded_nbytes(node)
        steps, rounds = g.patch // STEP, rounds_of(g.pixels)
        first, unroll, trips = split_steps(steps)
        run_unroll = next(u for u in (4, 3, 2, 1) if (g.run // STEP) % u == 0)
        return BlockedParams(
            g, self.mirrored, steps, first, unroll, trips, rounds[0].pixels, rounds, run_unroll, nbytes, high_word(node)
        )

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g, requant = block_geometry(node), high_word(node)
        rows = fill_groups(weight_rows(node, g).reshape(g.out_channels, g.patch), g.groups, CHANNELS)
        bias = fill_groups(folded_bias(node).values.astype(np.int64), g.groups, CHANNELS)
        doubled = 2 if requant.doubled and not self.mirrored else 1
        if self.mirrored:
            bias, words = mirrored_bias(bias, rows), mirrored(rows, CHANNELS).copy().view(np.int32)
        else:
            bias, words = doubled * bias, paired(doubled * rows.astype(np.int16))
        scales = fill_groups(high_word_constants(node), g.groups, CHANNELS)
        pairs = len(rows) // CHANNELS
        parts = [a.reshape(pairs, -1).astype(np.int32) for a in (wrapped(bias), words, scales)]
        return (Packed("weight", np.concatenate(parts, axis=1)),)

    def expanded_nbytes(self, node: Node) -> int:
        """Two words per step of each window, and a correction of each where weights are mirrored."""
        g = block_geometry(node)
        lanes = rounds_of(g.pixels)[0].pixels
        return lanes * (8 * (g.patch // STEP) + (4 if self.mirrored else 0))

    def scratch_nbytes(self, node: Node) -> int:
        g = block_geometry(node)
        return self.expanded_nbytes(node) + (0 if g.gather is Gather.NEVER else g.patch)

    def trace(self, node: Node) -> Trace:
        return block_trace(block_geometry(node))

    def cycles(self, node: Node, core: Core) -> float:
        g = block_geometry(node)
        macs = g.pixels * g.groups * g.filled_outputs(CHANNELS) * g.patch
        gathered = g.pixels * g.groups * g.patch * (3 if g.gather is Gather.ALWAYS else 1.5)
        return 1.0 * macs + gathered + 6 * node.output.size + 30 * g.pixels * g.groups


class Blocked16(Blocked):
    """Weights of two bytes, which need no unpacking and no correction."""

    variant = "blocked16"
    mirrored = False


def paired(rows: Array) -> Array:
    """int16 [O, K] as int32 [O/2, K/4, 2, 2]: the values at even places of both channels, then those at odd places."""
    by_step = rows.reshape(-1, CHANNELS, rows.shape[1] // STEP, STEP).transpose(0, 2, 1, 3)
    halves = np.stack([by_step[..., 0::2], by_step[..., 1::2]], axis=2)  # [O/2, K/4, even or odd, channel, 2]
    return np.ascontiguousarray(halves).view(np.int32)[..., 0]


def wrapped(values: Array) -> Array:
    """int64 as int32: sums are formed modulo 2**32, and only the whole sum need fit."""
    return np.ascontiguousarray(values.astype(np.int64)).astype(np.uint64).astype(np.uint32).view(np.int32)


def block_trace(g: Geometry) -> Trace:
    """Each block's windows are copied before its outputs are written; groups come back to the same windows."""
    sweeps = []
    for r in rounds_of(g.pixels):
        for first in range(r.first, r.last, r.pixels):
            spans = [window_span(g, p) for p in range(first, first + r.pixels)]
            start, stop = min(s for s, _ in spans), max(e for _, e in spans)
            reads = (Range(0, start, 0, stop - start),) if stop > start else ()
            sweeps.append(Sweep(1, reads, (Range(1, first * g.out_channels, 0, r.pixels * g.out_channels),)))
            if g.groups > 1 and reads:
                sweeps.append(Sweep(1, reads, ()))
    return tuple(sweeps)
