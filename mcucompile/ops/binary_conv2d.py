"""Convolution of signs with weights of one magnitude per output channel, on NHWC.

s[n,i,j,o] = sum over ky,kx,c of x[n, i*sy+ky*dy-top, j*sx+kx*dx-left, c] * w[o,ky,kx,c],   x = -1 or +1

Two forms: compared with integer thresholds, into which a batch normalization and a sign behind the sum fold exactly,

y[n,i,j,o] = +1 if s[n,i,j,o] >= t[o] else -1,

or requantized like any other layer's sum, with a bias. XOR and counting bits compute both: with P the number of places
where signs differ, s = K - 2P.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import (
    NO_CLIP,
    Array,
    Arrays,
    Band,
    Clip,
    DType,
    Exporter,
    Node,
    Numerics,
    Op,
    QuantParams,
    Requant,
    ScaleRule,
    Shape,
    Tensor,
    integer_clip,
    nchw,
)
from .bits import pack, packed_shape, unpack, words
from .sign import sign_quant
from .sums import matmul
from .window import Window


@dataclass(frozen=True)
class BinaryConv2d(Op):
    """Inputs x [N,H,W,C], w [O,KH,KW,C] and, without thresholds, b [O]; output [N,OH,OW,O].

    x and, where there are thresholds, y: signs as real numbers or stored integers, or packed (ops/bits.py), y where
    `packs` says so. w: int8, of one magnitude in each output channel, 1 where there are thresholds; or real ones.
    The padding is `fill`: 0, which no sum counts, or -1 or +1. A threshold of K + 1 is never reached, -K always.
    """

    window: Window
    fill: int = 0
    thresholds: tuple[int, ...] | None = None
    packs: bool = False
    clip: Clip = NO_CLIP
    requant: Requant | None = None

    name = "binary_conv2d"
    scales = ScaleRule.FIXED

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        (n, h, w, channels), (outputs, *kernel, c), *bias = shapes
        assert tuple(kernel) == self.window.kernel, f"weights {shapes[1]} for a window {self.window}"
        assert channels in (c, words(c)), f"weights {shapes[1]} for {channels} channels or words"
        assert bias == ([(outputs,)] if self.thresholds is None else []), f"bias {bias} for {outputs} channels"
        assert self.thresholds is None or len(self.thresholds) == outputs
        signs = (n, *self.window.output_size(h, w), outputs)
        return (packed_shape(signs) if self.packs else signs,)

    def reference(self, *args: Array) -> Arrays:
        x, w, *bias = args
        sums = self.sums(x, w)
        if self.thresholds is not None:
            return (np.where(sums >= self.thresholds, 1, -1).astype(x.dtype),)
        return (np.clip(sums + bias[0], self.clip.low, self.clip.high),)

    def sums(self, x: Array, w: Array) -> Array:
        """[N,OH,OW,O] from signs [N,H,W,C]."""
        patches = self.window.views(x, self.fill).transpose(0, 1, 2, 4, 5, 3)
        n, oh, ow = patches.shape[:3]
        return matmul(patches.reshape(n, oh, ow, -1), w.reshape(w.shape[0], -1).T)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        x, weight, *bias = stored
        y = node.output
        signs = self.signs(node.inputs[0], x, weight.shape[-1])
        if y.dtype is DType.F32 and self.thresholds is None:
            return (self.real_result(self.sums(signs, np.sign(weight).astype(np.int64)), weight, bias[0]),)
        sums = self.sums(signs, weight.astype(np.int64))
        if self.thresholds is not None:
            positive = sums >= np.asarray(self.thresholds, np.int64)
            return (pack(positive) if self.packs else np.where(positive, *stored_signs(y)).astype(y.dtype.numpy),)
        assert self.requant and y.quant
        scaled = self.requant.apply(sums + bias[0].astype(np.int64)) + y.quant.zero
        return (np.clip(scaled, *integer_clip(self.clip, node)).astype(y.dtype.numpy),)

    def signs(self, x: Tensor, stored: Array, channels: int) -> Array:
        """int64 -1 and +1."""
        if x.dtype is DType.U32:
            return unpack(stored, channels)
        return np.sign(stored.astype(np.int64) - (x.quant.zero if x.quant else 0))

    def real_result(self, sums: Array, weight: Array, bias: Array) -> Array:
        """float32(sum) * magnitude + bias, each operation rounded to float32, within the clip."""
        magnitude = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        result = sums.astype(np.float32) * magnitude + bias
        return np.asarray(np.clip(result, np.float32(self.clip.low), np.float32(self.clip.high)))

    def fixed_quant(self, dtype: DType) -> QuantParams:
        """Of signs."""
        return sign_quant(dtype)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        """Thresholds need nothing; the requantization is that of the layer that this one came from."""
        return self

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        if self.requant is None:
            return ()
        _, w, b = node.inputs
        assert w.const is not None and b.const is not None
        reach = np.abs(w.const.astype(np.int64)).reshape(len(w.const), -1).sum(axis=1)
        return tuple(map(int, reach + np.abs(b.const.astype(np.int64))))

    def macs(self, node: Node) -> int:
        outputs, *per_output = node.inputs[1].shape
        return int(np.prod(node.output.shape[:-1])) * outputs * int(np.prod(per_output))

    def band(self, node: Node, rows: range) -> Band | None:
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input, *(None for _ in node.inputs[1:])))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        """With thresholds, which a bias of 0.5 - t brings to the middle between two sums; Sign never sees 0 then."""
        from .conv2d import export_conv  # which imports this layer's neighbours

        assert self.thresholds is not None and not self.packs, "sums and packed signs come after what is exported"
        x, w = (export.value(t) for t in node.inputs)
        if self.fill:
            x = export_border(export, x, self.window, self.fill)
        window = replace(self.window, pads=(0, 0, 0, 0)) if self.fill else self.window
        bias = export.initializer("threshold", np.float32(0.5) - np.asarray(self.thresholds, np.float32))
        y = export_conv(export, x, export.transpose(w, nchw(4)), bias, window, 1)
        export.result(node, *export.node("Sign", [y]))


def stored_signs(y: Tensor) -> tuple[int, int]:
    """How +1 and -1 are stored where they are not packed."""
    return (y.quant.integer(1.0), y.quant.integer(-1.0)) if y.quant else (1, -1)


def export_border(export: Exporter, x: str, window: Window, fill: int) -> str:
    """Pad of an NHWC value."""
    top, left, bottom, right = window.pads
    pads = export.initializer("pads", np.asarray([0, top, left, 0, 0, bottom, right, 0], np.int64))
    (y,) = export.node("Pad", [x, pads, export.initializer("fill", np.asarray(fill, np.float32))])
    return y
