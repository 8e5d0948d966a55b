"""Limits: Relu, Relu6 and Clip. Fused into the operator before it where that is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Array, Arrays, Builder, Clip, Exporter, Node, OnnxNode, Shape
from .same_scale import SameScale


@dataclass(frozen=True)
class Clamp(SameScale):
    """y = min(max(x, low), high), x and y on one scale."""

    clip: Clip

    name = "clamp"
    onnx = ("Relu", "Clip")
    elementwise = True

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        return (x if np.issubdtype(x.dtype, np.integer) else np.clip(x, self.clip.low, self.clip.high),)

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        return self.clip.is_homogeneous

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        clip = Clip(0.0) if node.op_type == "Relu" else clip_bounds(node, build)
        x = build.input(node, 0)
        build.result(node, x if clip == NO_CLIP else build.emit(cls(clip), x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        from .conv2d import export_clip

        export.result(node, export_clip(export, export.value(node.inputs[0]), self.clip))


def clip_bounds(node: OnnxNode, build: Builder) -> Clip:
    """Clip's optional scalar inputs."""
    low, high = build.values(node, 1), build.values(node, 2)
    return Clip(-np.inf if low is None else float(low.ravel()[0]), np.inf if high is None else float(high.ravel()[0]))
