"""Mean of a sliding window on NHWC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import (
    NO_CLIP,
    Array,
    Arrays,
    Band,
    Builder,
    Clip,
    Exporter,
    Node,
    Numerics,
    OnnxNode,
    Op,
    Requant,
    ScaleRule,
    Shape,
    Unsupported,
    integer_clip,
    requant,
    saturate,
)
from .conv2d import export_clip, from_image, to_image
from .fixed_point import TFLITE_TYPES, divide_half_away, reach, scale_of, select_requant
from .max_pool import export_pool, pool_window
from .window import Window


@dataclass(frozen=True)
class AveragePool(Op):
    """y[n,i,j,c] = (sum of the taps inside the image of x[n, i*sy+ky*dy-top, j*sx+kx*dx-left, c]) / count[i,j].

    `count[i,j]` is the number of taps inside the image or, with `count_include_pad`, inside the padded image without
    its last `uncounted` rows and columns (they exist only because ONNX's ceil_mode needed a last, partial window).

    Integers, after `fix`: `divisors` are the different counts in ascending order, `divisor_index(h, w)` says which of
    them [i,j] uses, d below. One of two formulas:
    - `requant` set: y = sat(zero_y + ((acc * M[d] + 2**(s[d]-1)) >> s[d])) with acc = sum over the taps inside the
      image of (q_x - zero_x), a product of 64 bits (M < 2**31); one shift for all d wherever that is precise enough.
    - `requant` None (TensorFlow Lite): x and y have one scale; acc = sum of the stored q_x; y = acc / divisors[d]
      rounded to nearest, ties away from zero: (acc + n/2) / n for acc > 0, else (acc - n/2) / n, in C's division.
    """

    window: Window
    count_include_pad: bool = False
    uncounted: tuple[int, int] = (0, 0)
    clip: Clip = NO_CLIP
    divisors: tuple[int, ...] | None = None
    requant: Requant | None = None

    name = "average_pool"
    onnx = ("AveragePool",)
    scales = ScaleRule.FREE
    tflite_types = TFLITE_TYPES

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        ((n, h, w, c),) = shapes
        return ((n, *self.window.output_size(h, w), c),)

    def counts(self, height: int, width: int) -> Array:
        """The divisor at every output position, [OH,OW]."""
        rows, columns = (self._axis_counts(axis, size) for axis, size in enumerate((height, width)))
        return rows[:, None] * columns

    def divisor_index(self, height: int, width: int) -> Array:
        """Which of `divisors` applies at every output position, [OH,OW]."""
        assert self.divisors is not None
        return np.searchsorted(self.divisors, self.counts(height, width))

    def band(self, node: Node, rows: range) -> Band | None:
        if any(self.uncounted):
            return None
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input,))

    def _axis_counts(self, axis: int, size: int) -> Array:
        window, begin, end = self.window, self.window.pads[axis], self.window.pads[axis + 2]
        outputs = (size + begin + end - window.extent[axis]) // window.strides[axis] + 1
        first = np.arange(outputs)[:, None] * window.strides[axis] - begin
        taps = first + np.arange(window.kernel[axis]) * window.dilations[axis]
        low, high = (-begin, size + end - self.uncounted[axis]) if self.count_include_pad else (0, size)
        counts: Array = ((taps >= low) & (taps < high)).sum(axis=1)
        return counts

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        total = self.window.views(x).sum(axis=(-2, -1), dtype=x.dtype)
        y = total / self.counts(*x.shape[1:3]).astype(x.dtype)[:, :, None]
        return (np.clip(y, self.clip.low, self.clip.high),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, y = node.inputs[0], node.output
        divisors = tuple(int(n) for n in np.unique(self.counts(*x.shape[1:3])))
        if numerics is Numerics.TFLITE and x.quant == y.quant and not self._counts_padding:
            return replace(self, divisors=divisors, requant=None)
        ratio = scale_of(x) / scale_of(y)
        bound = max((1 << 31) - 1, self.window.taps * reach(x))
        reals = tuple(ratio / n for n in divisors)
        return replace(self, divisors=divisors, requant=requant(reals, Numerics.ONNX, bound))

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        """With `requant`, one for each of `divisors`: a window of n taps is divided by n at least."""
        x = node.inputs[0]
        if not x.quant:
            return ()
        whole = self.window.taps * reach(x)
        return tuple(min(n * reach(x), whole) for n in self.divisors) if self.requant and self.divisors else (whole,)

    @property
    def _counts_padding(self) -> bool:
        return self.count_include_pad and any(self.window.pads)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        (x,), quant_x, y = stored, node.inputs[0].quant, node.output
        assert quant_x and y.quant and self.divisors is not None
        index = np.broadcast_to(self.divisor_index(*x.shape[1:3])[:, :, None], y.shape)
        centre = quant_x.zero if self.requant else 0
        acc = self.window.views(x.astype(np.int64) - centre).sum(axis=(-2, -1))
        if self.requant:
            result = select_requant(self.requant, index, acc) + y.quant.zero
        else:
            result = divide_half_away(acc, np.asarray(self.divisors)[index])
        return (saturate(np.clip(result, *integer_clip(self.clip, node)), y.dtype),)

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        return self.clip.is_homogeneous

    def has_tflite_bits(self, node: Node) -> bool:
        """Not where it rescales or counts its padding."""
        return self.requant is None and super().has_tflite_bits(node)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        window, floor = pool_window(node, x.shape), pool_window(node, x.shape, ceil_mode=False)
        uncounted = (window.pads[2] - floor.pads[2], window.pads[3] - floor.pads[3])
        op = cls(window, bool(node.integer("count_include_pad")), uncounted)
        image = to_image(build, x)
        if op.counts(*image.shape[1:3]).min() == 0:
            raise Unsupported("a window that lies in the padding altogether")
        build.result(node, from_image(build, build.emit(op, image, name=node.name), len(x.shape)))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        x = export.value(node.inputs[0])
        (y,) = export_pool(export, x, "AveragePool", self._without_uncounted(), **self._onnx_attributes())
        export.result(node, export_clip(export, y, self.clip))

    def _without_uncounted(self) -> Window:
        top, left, bottom, right = self.window.pads
        return replace(self.window, pads=(top, left, bottom - self.uncounted[0], right - self.uncounted[1]))

    def _onnx_attributes(self) -> dict[str, int]:
        return {"count_include_pad": int(self.count_include_pad), "ceil_mode": int(any(self.uncounted))}
