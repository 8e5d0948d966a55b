"""Convolution of int8 with vectors of 16 products: two output pixels by four channels at a time, in assembly.

Decided: functions that are assembly from end to end. Instead of: intrinsics, which need eight sums in even registers
beside all pointers and so are spilled, and inline assembly, which has no registers left for unoptimized code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, vector_constants
from ..stream import Stream, whole
from ..trace import Range, Sweep, Trace
from .geometry import Gather, Geometry, geometry, window_span
from .packing import fits_int32, folded_bias, weight_rows

LANES = 16
CHANNELS = 4
WRITTEN_OUT = 12  # steps of a window that are not a loop
LOOP_STEPS = 8
LONGEST_ROW = 24  # steps
MOST_COLLECTED = 4  # rows
SHORT_LINE = 16
SHORT_COPY = 8
STEP_CYCLES = 16.5
LAST_OFFSET = 7  # steps whose offset fits a load


@dataclass(frozen=True)
class Registers:
    """The Q registers of a block. `windows`: of each step that is kept, the values of both windows."""

    windows: tuple[tuple[str, str], ...]
    weights: tuple[str, str]
    vectors: tuple[str, str]
    temporary: str
    zero: str
    pushed: int


REGISTERS = (
    Registers((), ("q2", "q3"), ("q0", "q1"), "q2", "q4", 8),
    Registers((("q0", "q1"),), ("q2", "q3"), ("q2", "q3"), "q6", "q4", 6),
    Registers((("q0", "q1"), ("q2", "q3")), ("q6", "q7"), ("q6", "q7"), "q4", "r2", 8),
)


@dataclass(frozen=True)
class Collected:
    """Windows of `rows` short rows, `row` bytes each, `stride` apart, are copied into patches of `patch` bytes."""

    rows: int
    row: int
    stride: int
    patch: int


@dataclass(frozen=True)
class Block:
    """How pairs of windows, `rows` by `steps` of 16 values each, are multiplied.

    `tail` values are in the last step, if it is not full; `kept` steps stay in registers for all channels; with `moves`
    the pointers to the windows move on. With `loops` there are `trips` times `unroll` steps, and the rest: a trip is a
    row, or part of the only one. `mask` channels are stored if there are fewer than four; `has_steps`: the constants
    say how far the next round's outputs are. x and y move by x_step and y_step bytes to the next pair.
    """

    rows: int
    steps: int
    tail: int
    kept: int
    moves: bool
    loops: bool
    trips: int
    unroll: int
    mask: int
    has_steps: bool
    channel_nbytes: int
    x_step: int
    y_step: int
    collects: Collected | None

    @property
    def registers(self) -> Registers:
        return REGISTERS[self.kept]


@dataclass(frozen=True)
class VectorPairsParams:
    """Of rows whose windows lie in the image vertically, outputs inside[0] to before inside[1] need no patch."""

    g: Geometry
    block: Block
    inside: tuple[int, int]
    scaling: Scaling

    @property
    def has_inside(self) -> bool:
        """Whether any pair of windows lies in the image."""
        return self.inside[1] - self.inside[0] > 1 and self.g.last_inside[0] >= 0

    @property
    def group_weights(self) -> int:
        """Bytes of a group's weights."""
        return self.g.filled_outputs(CHANNELS) * self.block.rows * self.block.steps * LANES


class VectorPairs(Kernel):
    op: ClassVar[type[Op]] = Conv2d
    variant = "vector_pairs"
    isa = Isa.MVE
    takes_step = True

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output))
        return int8 and scaling(node).high_word and fits_int32(bias_of(node)) and geometry(node).pixel_step < 1 << 15

    def params(self, node: Node) -> VectorPairsParams:
        g = pair_geometry(node)
        return VectorPairsParams(g, block(node, g), inside(g), scaling(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        g = pair_geometry(node)
        taken = rounds(g)
        steps = -(-g.run // LANES)
        rows = weight_rows(node, g)
        rows = np.pad(rows, ((0, 0), (0, 0), (0, steps * LANES - g.run)))
        weights = rows.reshape(g.out_channels, -1, LANES)[taken].swapaxes(1, 2)  # [rounds, steps, 4, 16]
        channels = vector_constants(node, bias_of(node))[taken].swapaxes(1, 2).reshape(len(taken), -1)
        if block(node, g).has_steps:
            following = np.append(taken[1:, 0], 0) - taken[:, 0]
            channels = np.column_stack([channels, following]).astype(np.int32)
        return Packed("weight", weights), Packed("channel", channels)

    def weight_stream(self, node: Node) -> Stream:
        return whole(self.constants(node)[0].values)

    def scratch_nbytes(self, node: Node) -> int:
        g = pair_geometry(node)
        return 0 if g.gather is Gather.NEVER else (2 if collected(g) else min(g.pixels, 2)) * patch_nbytes(g)

    def trace(self, node: Node) -> Trace:
        g = pair_geometry(node)
        return tuple(s for pixels, is_copied in units(g) for s in unit_sweeps(g, pixels, is_copied))

    def code_nbytes(self, node: Node) -> int:
        b = block(node, pair_geometry(node))
        written = b.unroll + b.steps - b.unroll * b.trips if b.loops and b.rows == 1 else b.unroll
        if not b.loops:
            written = b.rows * b.steps
        g = pair_geometry(node)
        copying = {Gather.NEVER: 0, Gather.BORDER: 600, Gather.ALWAYS: 500 if collected(g) else 340}[g.gather]
        return 56 * written + 205 + copying

    def cycles(self, node: Node, core: Core) -> float:
        g = pair_geometry(node)
        b, together = block(node, g), list(units(g))
        per_round = STEP_CYCLES * b.rows * b.steps + 27 + 10 * (b.rows > 1)
        per_round += (20 + 10 * b.trips if b.loops else 0) + 6 * scaling(node).gemmlowp
        copied = sum(len(pixels) for pixels, is_copied in together if is_copied)
        per_copy = 27 if collected(g) and g.gather is Gather.ALWAYS else copy_cycles(g) * g.groups
        return len(together) * (len(rounds(g)) * per_round + 20 * g.groups) + copied * per_copy


def bias_of(node: Node) -> Array:
    return folded_bias(node).values


def pair_geometry(node: Node) -> Geometry:
    """Windows whose rows lie in the image one by one are read there, unless copying them saves more than it costs."""
    whole, plain = geometry(node, LANES), geometry(node)
    is_plain = plain.groups == 1 and plain.gather is not Gather.ALWAYS
    is_short = plain.rows == 1 or plain.run <= LONGEST_ROW * LANES
    if is_plain and is_short and in_place_cycles(plain) <= copied_cycles(whole):
        return plain
    return patched(whole) if whole.rows > 1 else whole


def in_place_cycles(g: Geometry) -> float:
    """Of a pair of windows: what differs from `copied_cycles`."""
    return len(rounds(g)) * (STEP_CYCLES * g.rows * -(-g.run // LANES) + 10 * (g.rows > 1))


def copied_cycles(g: Geometry) -> float:
    copies = 2 * copy_cycles(g) if not collected(g) else 15 * g.window.kernel[0]
    return len(rounds(g)) * STEP_CYCLES * -(-g.patch // LANES) + copies


def copy_cycles(g: Geometry) -> float:
    """Of one window into its patch."""
    row = g.row_values
    if not row:
        return 12 * g.patch
    return 30 + g.window.kernel[0] * (18 if row <= SHORT_COPY else 14 + 13 * -(-row // LANES))


def patched(g: Geometry) -> Geometry:
    """The same with every window copied into a patch of one run."""
    return Geometry(
        g.batch, g.height, g.width, g.channels, g.out_height, g.out_width, g.out_channels, g.groups, g.window,
        Gather.ALWAYS, 1, g.rows * g.run, g.fill, g.element, g.pixel_step,
    )  # fmt: skip


def block(node: Node, g: Geometry) -> Block:
    steps, s = -(-g.run // LANES), scaling(node)
    kept = steps if g.rows == 1 and steps <= 2 else 0
    loops = g.rows * steps > WRITTEN_OUT and (g.rows > 1 or steps > 2 * LOOP_STEPS)
    unroll = steps if g.rows > 1 or not loops else LOOP_STEPS
    trips = g.rows if g.rows > 1 or not loops else (steps - (g.run % LANES > 0)) // unroll
    has_steps = g.group_outputs > CHANNELS and g.group_outputs % CHANNELS > 0
    words = CHANNELS * (3 if s.shift is None else 2) + has_steps
    count = -(-g.group_outputs // CHANNELS)
    walked = 0 if has_steps else CHANNELS * count  # the last of the constants' steps leads back to the first round
    return Block(
        g.rows, steps, g.run % LANES, kept, g.rows > 1 or steps > LAST_OFFSET + 1, loops, trips, unroll,
        g.group_outputs % CHANNELS if g.group_outputs < CHANNELS else 0, has_steps, 4 * words * count,
        2 * g.window.strides[1] * g.channels, 2 * g.pixel_step - walked, collected(g),
    )  # fmt: skip


def collected(g: Geometry) -> Collected | None:
    """How windows of few short rows are copied, if they lie in the image row by row."""
    row, rows = g.row_values, g.window.kernel[0]
    fits = g.gather is Gather.ALWAYS and 0 < row <= LANES and 1 < rows <= MOST_COLLECTED
    if not fits or (g.out_width % 2 and g.out_width < SHORT_LINE):  # there pairs go over line ends
        return None
    patch = max(g.patch, (rows - 1) * row + LANES)
    return Collected(rows, row, g.window.dilations[0] * g.row_stride, -(-patch // 8) * 8)


def patch_nbytes(g: Geometry) -> int:
    short = collected(g)
    return short.patch if short else g.patch


def rounds(g: Geometry) -> Array:
    """The channels of each round, [rounds, 4]. The last round of a group may compute some a second time."""
    first = np.minimum(np.arange(0, g.group_outputs, CHANNELS), max(g.group_outputs - CHANNELS, 0))
    group = np.minimum(first[:, None] + np.arange(CHANNELS), g.group_outputs - 1)
    starts = np.arange(g.groups) * g.group_outputs
    return np.asarray((starts[:, None, None] + group).reshape(-1, CHANNELS))


def inside(g: Geometry) -> tuple[int, int]:
    """Outputs of a row whose windows lie in the image horizontally."""
    stride, pad = g.window.strides[1], g.window.pads[1]
    if g.gather is Gather.ALWAYS and not collected(g):
        return 0, 0
    first = -(-pad // stride)
    end = min((g.last_inside[1] + pad) // stride + 1, g.out_width)
    return (first, end) if end > first else (0, 0)


def units(g: Geometry) -> Iterator[tuple[tuple[int, ...], bool]]:
    """The output pixels that are computed together, one or two, and whether their windows are copied first."""
    if g.is_pointwise or (g.gather is Gather.ALWAYS and not collected(g)):
        for first in range(0, g.pixels, 2):
            yield tuple(range(first, min(first + 2, g.pixels))), g.gather is Gather.ALWAYS
        return
    for row in range(g.batch * g.out_height):
        top = row % g.out_height * g.window.strides[0] - g.window.pads[0]
        start, end = inside(g) if 0 <= top <= g.last_inside[0] else (0, 0)
        column = 0
        while column < g.out_width:
            is_inside = start <= column < end - 1 or g.gather is Gather.NEVER
            count = min(2, g.out_width - column)
            first = row * g.out_width + column
            yield tuple(range(first, first + count)), not is_inside or g.gather is Gather.ALWAYS
            column += count


def unit_sweeps(g: Geometry, pixels: tuple[int, ...], is_copied: bool) -> Iterator[Sweep]:
    """Windows that are not copied are read until the last channel is written."""
    spans = [span for span in (window_span(g, p) for p in pixels) if span[1] > span[0]]
    reads: tuple[Range, ...] = ()
    if spans:
        start, stop = min(s for s, _ in spans), max(e for _, e in spans)
        reads = (Range(0, start, 0, stop - start),)
    yield Sweep(1, reads, (Range(1, pixels[0] * g.pixel_step, 0, len(pixels) * g.pixel_step),))
    if reads and not (is_copied and g.groups == 1):
        yield Sweep(1, reads, ())
