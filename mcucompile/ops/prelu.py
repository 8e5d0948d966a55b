"""Rectifier with a slope per channel for negative values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import (
    Array,
    Arrays,
    Builder,
    Exporter,
    Moved,
    Node,
    Numerics,
    OnnxNode,
    Op,
    Perm,
    ScaleRule,
    Shape,
    Unsupported,
    saturate,
)
from .fixed_point import common_shift, fixed, reach, scale_of, zero_of
from .leaky_relu import LeakyRelu


@dataclass(frozen=True)
class SlopeScales:
    """y = ((q_x - zero_x) * m + offset) >> shift, saturated afterwards; m = positive where q_x >= zero_x, otherwise
    negative[c], which is signed. `offset` holds the rounding (half up) and y's zero point. bits = 32: everything fits
    int32 and is precise to 2**-12 of a step; bits = 64: the product and the sum need int64.
    """

    positive: int
    negative: tuple[int, ...]
    offset: int
    shift: int
    bits: int


@dataclass(frozen=True)
class PRelu(Op):
    """y = x for x >= 0, else slopes[c] * x with c the index along `axis` (not negative). Integers: see `SlopeScales`.

    One slope for all channels is imported as a LeakyRelu.
    """

    slopes: tuple[float, ...]
    axis: int
    fixed: SlopeScales | None = None

    name = "prelu"
    onnx = ("PRelu",)
    scales = ScaleRule.FREE

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        assert shapes[0][self.axis] == len(self.slopes)
        return shapes

    def _along(self, values: Array, rank: int) -> Array:
        return values.reshape([-1 if i == self.axis else 1 for i in range(rank)])

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        return (np.where(x >= 0, x, self._along(np.asarray(self.slopes, x.dtype), x.ndim) * x),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, y = node.inputs[0], node.output
        ratio = scale_of(x) / scale_of(y)
        steepest = ratio * max(1.0, *map(abs, self.slopes))
        shift, bits = common_shift([steepest], [reach(x)], zero_of(y))
        negative = tuple(fixed(ratio * slope, shift) for slope in self.slopes)
        offset = (1 << (shift - 1)) + (zero_of(y) << shift)
        return replace(self, fixed=SlopeScales(fixed(ratio, shift), negative, offset, shift, bits))

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.fixed is not None
        x = stored[0].astype(np.int64) - zero_of(node.inputs[0])
        factors = np.where(x >= 0, self.fixed.positive, self._along(np.asarray(self.fixed.negative), x.ndim))
        return (saturate((x * factors + self.fixed.offset) >> self.fixed.shift, node.output.dtype),)

    def moved(self, perm: Perm) -> Moved:
        return Moved(replace(self, axis=perm[self.axis]), perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x, slope = build.input(node, 0), build.values(node, 1)
        assert slope is not None
        if np.all(slope == slope.ravel()[0]):
            op: Op = LeakyRelu(float(slope.ravel()[0]))
        else:
            op = cls(tuple(float(s) for s in slope.ravel()), channel_axis(slope.shape, x.shape))
        build.result(node, build.emit(op, x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        slopes = self._along(np.asarray(self.slopes, np.float32), len(node.inputs[0].shape))
        x = export.value(node.inputs[0])
        export.result(node, *export.node("PRelu", [x, export.initializer("slope", slopes)]))


def channel_axis(slope: Shape, shape: Shape) -> int:
    """The one axis along which slopes differ."""
    aligned = (1,) * (len(shape) - len(slope)) + slope
    axes = [i for i, d in enumerate(aligned) if d != 1]
    if len(axes) != 1:
        raise Unsupported(f"slopes of shape {list(slope)}", "use one slope, or one per channel")
    return axes[0]
