"""Mean over some axes; the global average pool is one over the rows and columns of an image."""

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
    Requant,
    Rounding,
    ScaleRule,
    Shape,
    Tensor,
    Unsupported,
    requant,
    saturate,
)
from ..ir.quant import quantize_multiplier
from .conv2d import from_image, to_image
from .fixed_point import TFLITE_TYPES, reach, scale_of
from .reshape import Reshape


@dataclass(frozen=True)
class ReduceMean(Op):
    """y = mean of x over `axes` (ascending, not negative), which stay as axes of size 1 or, without `keepdims`, vanish.

    Integers: acc = sum over the axes of (q_x - zero_x), y = sat(zero_y + requant(acc)); 1/count is part of `requant`,
    which has one entry. Every partial sum of stored or centred int8 values fits int32; an int16 sum of magnitude up to
    `sum_bound` may need int64.
    """

    axes: tuple[int, ...]
    keepdims: bool = True
    requant: Requant | None = None

    name = "reduce_mean"
    onnx = ("ReduceMean", "GlobalAveragePool")
    scales = ScaleRule.FREE
    tflite_types = TFLITE_TYPES

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        (shape,) = shapes
        kept = tuple(1 if i in self.axes else d for i, d in enumerate(shape))
        return (kept if self.keepdims else tuple(d for i, d in enumerate(kept) if i not in self.axes),)

    def count(self, shape: Shape) -> int:
        """How many values one mean is of."""
        return int(np.prod([shape[a] for a in self.axes]))

    def reference(self, *args: Array) -> Arrays:
        return (np.mean(args[0], axis=self.axes, keepdims=self.keepdims, dtype=args[0].dtype),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        ratio, count = scale_of(node.inputs[0]) / scale_of(node.output), self.count(node.inputs[0].shape)
        if numerics is Numerics.TFLITE:
            return replace(self, requant=gemmlowp_mean(ratio, count))
        bound = max((1 << 31) - 1, self.sum_bound(node) or 0)
        return replace(self, requant=requant((ratio / count,), numerics, bound))

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        x = node.inputs[0]
        return (self.count(x.shape) * reach(x),) if x.quant else ()

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        quant_x, y = node.inputs[0].quant, node.output
        assert quant_x and y.quant and self.requant
        acc = (stored[0].astype(np.int64) - quant_x.zero).sum(axis=self.axes, keepdims=self.keepdims)
        return (saturate(self.requant.apply(acc) + y.quant.zero, y.dtype).reshape(y.shape),)

    def moved(self, perm: Perm) -> Moved:
        axes = tuple(sorted(perm[a] for a in self.axes))
        if self.keepdims:
            return Moved(replace(self, axes=axes), perm)
        left = [p for i, p in enumerate(perm) if i not in self.axes]
        return Moved(replace(self, axes=axes), tuple(sorted(left).index(p) for p in left))

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        rank = len(node.inputs[0].shape)
        return rank == 4 and rank - 1 not in self.axes

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        rank, keepdims = len(x.shape), bool(node.integer("keepdims", 1))
        axes = tuple(range(2, rank)) if node.op_type == "GlobalAveragePool" else mean_axes(node, build, rank)
        if not axes:
            build.result(node, x)
        elif rank in (3, 4) and axes == tuple(range(2, rank)):
            build.result(node, spatial_mean(build, node.name, x, keepdims))
        else:
            build.result(node, build.emit(cls(axes, keepdims), x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        axes = export.initializer("axes", np.asarray(self.axes, np.int64))
        x = export.value(node.inputs[0])
        export.result(node, *export.node("ReduceMean", [x, axes], keepdims=int(self.keepdims)))


def gemmlowp_mean(ratio: float, count: int) -> Requant:
    """TensorFlow Lite's factor: the quantized ratio, divided by the count with as many bits as that leaves."""
    multiplier, shift = quantize_multiplier(ratio)
    bits = min(count.bit_length() - 1, 62 - shift)
    return Requant(((multiplier << bits) // count,), (shift + bits,), Rounding.GEMMLOWP)


def mean_axes(node: OnnxNode, build: Builder, rank: int) -> tuple[int, ...]:
    """The axes of an ONNX ReduceMean, an attribute up to opset 17 and an input since; none given means all."""
    given = build.values(node, 1)
    axes = node.ints("axes") if given is None else tuple(int(v) for v in given.ravel())
    if not axes:
        return () if node.integer("noop_with_empty_axes") else tuple(range(rank))
    if not all(-rank <= a < rank for a in axes):
        raise Unsupported(f"axes {list(axes)} of a tensor with {rank} axes")
    return tuple(sorted({a % rank for a in axes}))


def spatial_mean(build: Builder, name: str, x: Tensor, keepdims: bool) -> Tensor:
    """The mean over everything but batch and channels of an ONNX image, on channels-last data."""
    y = build.emit(ReduceMean((1, 2)), to_image(build, x), name=name)
    return from_image(build, y, len(x.shape)) if keepdims else build.emit(Reshape(x.shape[:2]), y)
