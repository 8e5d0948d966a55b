"""Depthwise convolution of int8 with dual multiplications: one channel at a time, from a plane of 16-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...target.cores import CORES, Core, Isa
from ..conv2d.packing import fits_int32, folded_bias
from ..conv2d.requantization import HighWord, fits_high_word, high_word, high_word_constants
from ..kernel import Kernel, Packed
from ..trace import Range, Sweep, Trace
from .plane_cost import plane_code_nbytes, plane_cycles
from .products import Product, paired, products, tap_pairs, weight_words, words_read

HELD_WORDS = 6  # weights that stay in registers
ROW_OUTPUTS = 12  # written out, about
FLAT_OUTPUTS = 16
FLAT_COPIES = 64


@dataclass(frozen=True)
class Axis:
    """One axis of the image: sizes in pixels, and bytes from a pixel to the next in input and output."""

    size: int
    outputs: int
    taps: int
    stride: int
    pad: int
    x_step: int
    y_step: int

    @property
    def reach(self) -> int:
        """Pixels that windows touch, padding included."""
        return (self.outputs - 1) * self.stride + self.taps

    @property
    def copied(self) -> int:
        """Pixels of the image that windows touch."""
        return max(0, min(self.size, self.reach - self.pad))


@dataclass(frozen=True)
class Block:
    """`outputs` neighbours of a row, summed together: they read `words` words of each of the rows of a window."""

    outputs: int
    words: int
    products: tuple[Product, ...]


@dataclass(frozen=True)
class PlanesParams:
    """Rows of the plane run along `along`: rows of the image, or `columns`. A row has `pitch` words.

    A row of outputs is `trips` rounds of the outputs in `blocks`, then `rest`. Windows have `weights` words a row.
    """

    batch: int
    channels: int
    multiplier: int
    columns: bool
    along: Axis
    across: Axis
    fill: int
    pitch: int
    weights: int
    trips: int
    blocks: tuple[int, ...]
    rest: tuple[int, ...]
    requant: HighWord

    @property
    def rows(self) -> int:
        return self.across.reach

    @property
    def copies_flat(self) -> bool:
        """Whether the copying of all rows is written out."""
        return 0 < self.along.copied * self.across.copied <= FLAT_COPIES

    @property
    def is_flat(self) -> bool:
        """Whether all outputs are written out."""
        return self.along.outputs * self.across.outputs <= FLAT_OUTPUTS

    @property
    def copy_chunk(self) -> int:
        """Values of a row whose copying is written out, without the first if that is at an odd place."""
        count = self.along.copied - self.along.pad % 2
        return next(n for n in (48, 24, 20, 16, 12, 8) if n == 8 or (count >= n and count % n < 4))

    @property
    def has_border(self) -> bool:
        return any(axis.pad or axis.copied < axis.reach for axis in (self.along, self.across))

    @property
    def fill_word(self) -> str:
        """Two values of padding."""
        return f"0x{(self.fill & 0xFFFF) * 0x10001:08X}u"

    @property
    def image_nbytes(self) -> tuple[int, int]:
        """Of an image of the input, and of the output."""
        axes = (self.along, self.across)
        return max(a.size * a.x_step for a in axes), max(a.outputs * a.y_step for a in axes)

    @property
    def held(self) -> bool:
        """Whether weights are stored as bytes and stay in registers once they are paired."""
        return self.weights * self.across.taps <= HELD_WORDS

    @property
    def channel_words(self) -> int:
        return 1 + self.requant.words + (0 if self.held else self.weights * self.across.taps)

    @property
    def pairs(self) -> tuple[tuple[int, int | None], ...]:
        return tap_pairs(self.along.taps, self.along.stride)

    @property
    def kinds(self) -> tuple[Block, ...]:
        """The different blocks."""
        along = self.along
        return tuple(
            Block(n, words_read(n, along.taps, along.stride), products(n, along.taps, along.stride))
            for n in sorted({*(self.blocks if self.trips else ()), *self.rest})
        )

    def placed(self, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        """(first output, outputs) of blocks one after the other."""
        return [(sum(sizes[:k]), n) for k, n in enumerate(sizes)]


class Planes(Kernel):
    op: ClassVar[type[Op]] = DepthwiseConv2d
    variant = "planes"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, DepthwiseConv2d)
        if not all(t.dtype is DType.I8 for t in (node.inputs[0], node.inputs[1], node.output)):
            return False
        undilated = node.op.window.dilations == (1, 1)
        return undilated and fits_high_word(node) and fits_int32(2 * folded_bias(node).values.astype(np.int64))

    def params(self, node: Node) -> PlanesParams:
        return plan_of(node)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        p, weight = self.params(node), node.inputs[1].const
        assert weight is not None
        channel = Packed("channel", channel_words(node, p))
        return (Packed("weight", oriented(weight, p.columns)), channel) if p.held else (channel,)

    def scratch_nbytes(self, node: Node) -> int:
        p = self.params(node)
        return 4 * p.pitch * p.rows

    def trace(self, node: Node) -> Trace:
        return channel_trace(node)

    def code_nbytes(self, node: Node) -> int:
        return plane_code_nbytes(self.params(node))

    def cycles(self, node: Node, core: Core) -> float:
        return plane_cycles(self.params(node), core)


def plan_of(node: Node) -> PlanesParams:
    """The cheaper of both ways to lay the plane."""
    core = CORES["cortex-m4"]
    return min((planned(node, columns) for columns in (False, True)), key=lambda p: plane_cycles(p, core))


def axes_of(node: Node) -> tuple[Axis, Axis]:
    """Along the image's rows, and down its columns."""
    op, x, y = node.op, node.inputs[0], node.output
    assert isinstance(op, DepthwiseConv2d)
    (_, h, w, c), (_, oh, ow, o), window = x.shape, y.shape, op.window
    right = Axis(w, ow, window.kernel[1], window.strides[1], window.pads[1], c, o)
    down = Axis(h, oh, window.kernel[0], window.strides[0], window.pads[0], w * c, ow * o)
    return right, down


def planned(node: Node, columns: bool) -> PlanesParams:
    """The parameters for rows of the plane that are columns of the image, or rows."""
    x, y, right, down = node.inputs[0], node.output, *axes_of(node)
    along, across = (down, right) if columns else (right, down)
    weights = weight_words(along.taps, along.stride)
    n = block_outputs(along, weights * across.taps <= HELD_WORDS)
    count, left = divmod(along.outputs, n)
    unroll = min(count, max(1, ROW_OUTPUTS // n))
    trips, more = divmod(count, unroll) if count else (0, 0)
    rest = (n,) * more + ((left,) if left else ())
    last = along.outputs - (left or n)
    words = max(last * along.stride // 2 + words_read(left or n, along.taps, along.stride), (along.reach + 1) // 2)
    fill = x.quant.zero if x.quant else 0
    return PlanesParams(
        x.shape[0], x.shape[3], y.shape[3] // x.shape[3], columns, along, across, fill, words, weights,
        trips, (n,) * unroll, rest, high_word(node),
    )  # fmt: skip


def block_outputs(along: Axis, held: bool) -> int:
    """Outputs whose sums grow together; an even number where windows start at odd places too."""
    if held:
        return 2 if along.stride % 2 else 1
    return 4 if along.stride < 3 else 2


def channel_words(node: Node, p: PlanesParams) -> Array:
    """int32 [O, channel_words]: bias and scaling; weights that are not held are behind them, in pairs."""
    weight = node.inputs[1].const
    assert weight is not None
    factor = 2 if p.requant.doubled else 1
    bias = (folded_bias(node).values.astype(np.int64) * factor).astype(np.int32)
    scaling = np.concatenate([bias[:, None], high_word_constants(node)], axis=1)
    if p.held:
        return scaling
    words = paired(oriented(weight, p.columns).astype(np.int16) * factor, p.along.stride).view(np.int32)
    return np.concatenate([scaling, words.reshape(len(bias), -1)], axis=1)


def oriented(weight: Array, columns: bool) -> Array:
    """Weights [KH, KW, O] as [O, across, along] for a plane whose rows are columns of the image, or rows."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0) if columns else weight.transpose(2, 0, 1))


def channel_trace(node: Node) -> Trace:
    """All of a channel is read, then all of what it becomes is written: bytes that lie a pixel apart."""
    x, y = node.inputs[0], node.output
    (n, h, w, c), (_, oh, ow, o) = x.shape, y.shape
    sweeps = []
    for image in range(n):
        for k in range(c):
            sweeps.append(Sweep(h * w, (Range(0, image * h * w * c + k, c, 1),), ()))
            first = image * oh * ow * o + k * (o // c)
            sweeps.append(Sweep(oh * ow, (), (Range(1, first, o, o // c),)))
    return tuple(sweeps)
