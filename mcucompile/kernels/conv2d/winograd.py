"""Convolution of int8 by Winograd's method with dual multiplications: 4 or 2.25 times fewer products.

Decided: plain int8 activations, and tiles that are copied only where they reach out of the image. Instead of: rows of
tiles with borders around them, which cost more copies and more scratch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from ...ir import Array, DType, Node, Op
from ...ops.conv2d import Conv2d
from ...ops.window import Window
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, channel_constants, requant_of, scaling
from ..stream import Stream, whole
from ..trace import Trace
from .packing import folded_bias
from .winograd_cost import winograd_code_nbytes, winograd_cycles
from .winograd_tiles import WinogradParams, strip_sweep
from .winograd_transform import F2, F4, F4_PLAIN, Transform

LARGEST_SHIFT = 63  # of a product: the high word of it is shifted by 31 at most
MOST_CHANNELS = 8000  # whose values an immediate operand counts


class Winograd(Kernel):
    """What the variants share. `strip`: the most tiles of a strip."""

    op: ClassVar[type[Op]] = Conv2d
    isa = Isa.DSP
    transform: ClassVar[Transform]
    expands: ClassVar[bool] = False
    staggers: ClassVar[bool] = False
    strip: ClassVar[int] = 2

    @property
    def template(self) -> str:
        return "kernels/conv2d/winograd.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        """What the transform makes of weights and inputs are int16, and sums are exact while they fit int32."""
        op, (x, w, _), y = node.op, node.inputs, node.output
        assert isinstance(op, Conv2d)
        if any(t.dtype is not DType.I8 for t in (x, w, y)) or op.groups != 1 or not is_plain_3x3(op.window):
            return False
        bound, t = op.sum_bound(node), self.transform
        if bound is None or bound >= 1 << (31 - t.bits) or max(requant_of(node).shifts) > LARGEST_SHIFT - t.bits:
            return False
        return x.shape[3] <= MOST_CHANNELS and scaling(node).high_word and fits_int16(node, t)

    def params(self, node: Node) -> WinogradParams:
        assert isinstance(node.op, Conv2d)
        x, (n, h, w, c), (_, oh, ow, o) = node.inputs[0], node.inputs[0].shape, node.output.shape
        top, left, _, _ = node.op.window.pads
        tiles = -(-oh // self.transform.size) * -(-ow // self.transform.size)
        s = scaling(node)
        zero = x.quant.zero if x.quant else 0
        return WinogradParams(
            self.transform, n, h, w, c, oh, ow, o, top, left, self.even_strip(tiles), self.expands, self.staggers, zero,
            3 if s.shift is None else 2, raised(s, self.transform.bits),
        )  # fmt: skip

    def even_strip(self, tiles: int) -> int:
        """Tiles per strip such that no strip is much shorter than the others."""
        block = 4 if self.expands else 2
        strips = -(-tiles // self.strip)
        return -(-tiles // (strips * block)) * block

    def constants(self, node: Node) -> tuple[Packed, ...]:
        p = self.params(node)
        weight = compact_weights(node, p) if p.expands else transformed_weights(node, p)
        return Packed("weight", weight), Packed("channel", raised_channels(node, p.t.bits))

    def weight_stream(self, node: Node) -> Stream | None:
        """Transformed weights take more than a byte."""
        return whole(self.constants(node)[0].values) if self.expands else None

    def scratch_nbytes(self, node: Node) -> int:
        return self.params(node).scratch_nbytes

    def trace(self, node: Node) -> Trace:
        p = self.params(node)
        return tuple(strip_sweep(p, n, first) for n in range(p.batch) for first in range(0, p.tiles, p.strip))

    def cycles(self, node: Node, core: Core) -> float:
        return winograd_cycles(self.params(node), core)

    def code_nbytes(self, node: Node) -> int:
        return winograd_code_nbytes(self.params(node))


class Winograd4(Winograd):
    """Weights take 8 times their size."""

    variant = "winograd4"
    transform = F4


class Winograd2(Winograd):
    """Weights take 3.6 times their size."""

    variant = "winograd2"
    transform = F2


class Winograd4Expanding4(Winograd):
    """Weights take their size, and are transformed for four tiles at a time."""

    variant = "winograd4_expanding4"
    transform = F4_PLAIN
    expands = True
    strip = 4


class Winograd4Expanding8(Winograd):
    """The same for eight tiles at a time, where there are more than four."""

    variant = "winograd4_expanding8"
    transform = F4_PLAIN
    expands = True
    strip = 8

    def fits(self, node: Node) -> bool:
        return super().fits(node) and self.params(node).tiles > 4


class Staggered(Winograd):
    """For cores with two pipelines: more instructions, fewer cycles."""

    staggers = True

    def fits(self, node: Node) -> bool:
        return super().fits(node) and self.params(node).step_loops == 1


class Winograd4Staggered(Staggered, Winograd4):
    variant = "winograd4_staggered"


class Winograd4Expanding4Staggered(Staggered, Winograd4Expanding4):
    variant = "winograd4_expanding4_staggered"


class Winograd4Expanding8Staggered(Staggered, Winograd4Expanding8):
    variant = "winograd4_expanding8_staggered"


def is_plain_3x3(window: Window) -> bool:
    """Whether Winograd's method is for this window; pads over 2 would make tiles of padding only."""
    return (window.kernel, window.strides, window.dilations) == ((3, 3), (1, 1), (1, 1)) and max(window.pads) <= 2


def fits_int16(node: Node, t: Transform) -> bool:
    """Whether U and V are int16; V is computed of the inputs + 128 with 0x8000 added to it, which then is uint16."""
    weight = node.inputs[1].const
    assert weight is not None
    u = t.weights(weight.transpose(0, 3, 1, 2))
    return bool(np.abs(u).max(initial=0) <= DType.I16.high) and t.input_bound(0, 255) <= DType.I16.high


def raised(s: Scaling, bits: int) -> Scaling:
    """The scaling of sums times 2^bits. GEMMLOWP rounds in between, and takes them away before that."""
    return s if s.shift is None or s.gemmlowp else replace(s, shift=s.shift + bits)


def raised_channels(node: Node, bits: int) -> Array:
    """int32 [O, 2 or 3]: 2^bits * bias modulo 2^32, for inputs + 128; multiplier; shift, unless channels share it."""
    weight = node.inputs[1].const
    assert weight is not None
    sums = weight.astype(np.int64).reshape(len(weight), -1).sum(axis=1)
    bias = folded_bias(node).values.astype(np.int64) - 128 * sums
    channels = channel_constants(node, bias << bits)
    if not scaling(node).gemmlowp:
        channels[:, 2:] += bits
    return channels


def filled_filters(node: Node, p: WinogradParams) -> Array:
    """[O, C, 3 columns, 3 rows], filled up with zeros to whole blocks of channels."""
    weight = node.inputs[1].const
    assert weight is not None
    missing = ((0, -p.out_channels % p.block_channels), (0, 0), (0, 0), (0, p.filled - p.channels))
    return np.pad(weight, missing).transpose(0, 3, 2, 1)


def transformed_weights(node: Node, p: WinogradParams) -> Array:
    """U as int16 [O/4, positions, C/4, even or odd bytes, 4, 2]."""
    u = p.t.weights(filled_filters(node, p))
    o, c = u.shape[:2]
    words = u.reshape(o // p.block_channels, p.block_channels, c // 4, 2, 2, p.t.positions)
    return words.transpose(0, 5, 2, 4, 1, 3).astype(np.int16)


def compact_weights(node: Node, p: WinogradParams) -> Array:
    """int8 [O/2, C/4, 2, 9 taps, 4 channels]."""
    filters = filled_filters(node, p)
    words = filters.reshape(len(filters) // p.block_channels, p.block_channels, p.filled // 4, 4, 9)
    return words.transpose(0, 2, 1, 4, 3)
