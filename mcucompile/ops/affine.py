"""A factor and an offset per channel: what a batch normalization is once it is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import (
    Array,
    Arrays,
    Builder,
    Exporter,
    Moved,
    Node,
    OnnxNode,
    Op,
    Perm,
    Shape,
    Unsupported,
    nchw,
    nhwc,
)
from .conv2d import from_image, to_image
from .moving import moved_before_last


@dataclass(frozen=True)
class Affine(Op):
    """y[..., c] = x[..., c] * factor[c] + offset[c]: inputs x [..., C], factor [C], offset [C], both constant.

    Passes fold it into the layer before or after it, or turn it into a DepthwiseConv2d of one tap.
    """

    name = "affine"
    onnx = ("BatchNormalization",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, factor, offset = shapes
        assert factor == offset == x[-1:], f"{factor} and {offset} for {x}"
        return (x,)

    def reference(self, *args: Array) -> Arrays:
        x, factor, offset = args
        return (x * factor + offset,)

    def moved(self, perm: Perm) -> Moved | None:
        return moved_before_last(self, perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """y = (x - mean) / sqrt(variance + epsilon) * scale + bias, computed in float64."""
        x = build.input(node, 0)
        given = [build.values(node, i) for i in range(1, 5)]
        scale, bias, mean, variance = (np.asarray(v, np.float64) for v in given)
        if node.integer("training_mode") or len(x.shape) not in (2, 3, 4):
            raise Unsupported("training mode" if node.integer("training_mode") else f"{len(x.shape)} axes")
        slope = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
        factor = build.constant(f"{node.name}_factor", slope.astype(np.float32))
        offset = build.constant(f"{node.name}_offset", (bias - mean * slope).astype(np.float32))
        if len(x.shape) == 2:
            build.result(node, build.emit(cls(), x, factor, offset, name=node.name))
        else:
            y = build.emit(cls(), to_image(build, x), factor, offset, name=node.name)
            build.result(node, from_image(build, y, len(x.shape)))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        """A BatchNormalization with mean 0 and variance 1."""
        x, factor, offset = (export.value(t) for t in node.inputs)
        rank, channels = len(node.inputs[0].shape), node.inputs[0].shape[-1]
        mean = export.initializer("mean", np.zeros(channels, np.float32))
        variance = export.initializer("variance", np.ones(channels, np.float32))
        given = [export.transpose(x, nchw(rank)), factor, offset, mean, variance]
        (y,) = export.node("BatchNormalization", given, epsilon=0.0)
        export.result(node, export.transpose(y, nhwc(rank)))
