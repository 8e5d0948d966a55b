"""Convolution on NHWC.

y[n,i,j,o] = b[o] + sum over ky,kx,c of x[n, i*sy+ky*dy-top, j*sx+kx*dx-left, c] * w[o,ky,kx,c]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    OnnxNode,
    Requant,
    Shape,
    Tensor,
    Unsupported,
    nchw,
    nhwc,
    permute_constant,
    reshape_constant,
)
from .depthwise_conv2d import DepthwiseConv2d
from .reshape import Reshape
from .sums import matmul
from .transpose import Transpose
from .weighted import Weighted
from .window import Window, window_from_onnx


@dataclass(frozen=True)
class Conv2d(Weighted):
    """Inputs x [N,H,W,C], w [O,KH,KW,C/groups], b [O]; output [N,OH,OW,O]. Padding is real zero."""

    window: Window
    groups: int = 1
    clip: Clip = NO_CLIP
    requant: Requant | None = None

    name = "conv2d"
    onnx = ("Conv",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        (n, h, w, c), weight, bias = shapes
        outputs, *kernel, per_group = weight
        assert tuple(kernel) == self.window.kernel, f"weights {weight} for a window {self.window}"
        assert c == per_group * self.groups and outputs % self.groups == 0, f"weights {weight} for {c} channels"
        assert bias == (outputs,), f"bias {bias} for {outputs} channels"
        return ((n, *self.window.output_size(h, w), outputs),)

    def band(self, node: Node, rows: range) -> Band | None:
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input, None, None))

    def reference(self, *args: Array) -> Arrays:
        x, w, b = args
        views = self.window.views(x)  # [N,OH,OW,C,KH,KW]
        n, oh, ow, channels = views.shape[:4]
        per_group, outputs = channels // self.groups, w.shape[0] // self.groups
        parts = []
        for g in range(self.groups):
            patches = views[..., g * per_group : (g + 1) * per_group, :, :].transpose(0, 1, 2, 4, 5, 3)
            weights = w[g * outputs : (g + 1) * outputs].reshape(outputs, -1)
            parts.append(matmul(patches.reshape(n, oh, ow, -1), weights.T))
        y = np.concatenate(parts, axis=-1) + b
        return (y if np.issubdtype(y.dtype, np.integer) else np.clip(y, self.clip.low, self.clip.high),)

    @property
    def pads(self) -> bool:
        return any(self.window.pads)

    def per_input(self, weight: Shape, values: Array) -> Array:
        by_group = np.repeat(values.reshape(self.groups, -1), weight[0] // self.groups, axis=0)
        return by_group[:, None, None, :]

    def input_reach(self, magnitude: Array) -> Array:
        reach: Array = magnitude.reshape(self.groups, -1, magnitude.shape[-1]).max(axis=1).ravel()
        return reach

    def macs(self, node: Node) -> int:
        weight = node.inputs[1].shape
        return node.output.size * weight[1] * weight[2] * weight[3]

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x, w, b = build.input(node, 0), build.constant_input(node, 1), build.constant_input(node, 2)
        assert w is not None
        if len(x.shape) not in (3, 4):
            raise Unsupported(f"convolution over {len(x.shape) - 2} axes", "use Conv over one or two axes")
        stated = node.ints("kernel_shape", w.shape[2:])
        assert stated == w.shape[2:], f"kernel_shape={list(stated)} for weights {list(w.shape)}"
        window = window_from_onnx(node, w.shape[2:], x.shape[2:])
        y = emit_conv(build, node, to_image(build, x), w, b, window)
        build.result(node, from_image(build, y, len(x.shape)))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        x, w, b = (export.value(t) for t in node.inputs)
        y = export_conv(export, x, export.transpose(w, nchw(4)), b, self.window, self.groups)
        export.result(node, export_clip(export, y, self.clip))


def emit_conv(build: Builder, node: OnnxNode, x: Tensor, w: Tensor, b: Tensor | None, window: Window) -> Tensor:
    """A Conv2d or, where every channel is its own group, a DepthwiseConv2d; w is ONNX's [O,I,KH,KW] or [O,I,K]."""
    outputs, per_group = w.shape[:2]
    groups = node.integer("group", 1)
    is_depthwise = 1 == per_group < groups  # one channel is better read as a patch
    if is_depthwise:
        filters = permute_constant(reshape_constant(w, (outputs, *window.kernel)), (1, 2, 0))
    else:
        filters = permute_constant(reshape_constant(w, (outputs, per_group, *window.kernel)), nhwc(4))
    weight = build.constant(f"{node.name}_weight", filters)
    bias = build.constant(f"{node.name}_bias", np.zeros(outputs, np.float32) if b is None else b)
    return build.emit(
        DepthwiseConv2d(window) if is_depthwise else Conv2d(window, groups), x, weight, bias, name=node.name
    )


def to_image(build: Builder, x: Tensor) -> Tensor:
    """An ONNX tensor [N,C,H,W] or [N,C,L] as an NHWC image; a line becomes an image of one row."""
    y = build.emit(Transpose(nhwc(len(x.shape))), x)
    n, *_, c = y.shape
    return y if len(y.shape) == 4 else build.emit(Reshape((n, 1, y.shape[1], c)), y)


def from_image(build: Builder, y: Tensor, rank: int) -> Tensor:
    """The reverse of `to_image`."""
    n, _, width, c = y.shape
    line = y if rank == 4 else build.emit(Reshape((n, width, c)), y)
    return build.emit(Transpose(nchw(rank)), line)


def export_conv(export: Exporter, x: str, w: str, b: str, window: Window, groups: int) -> str:
    """Conv on an NHWC value, between two transposes; w is already [O,I,KH,KW]."""
    (y,) = export.node(
        "Conv", [export.transpose(x, nchw(4)), w, b], group=groups, kernel_shape=window.kernel,
        strides=window.strides, pads=window.pads, dilations=window.dilations,
    )  # fmt: skip
    return export.transpose(y, nhwc(4))


def export_clip(export: Exporter, value: str, clip: Clip) -> str:
    """The fused activation as Relu or Clip."""
    if clip == NO_CLIP:
        return value
    if clip == Clip(0.0):
        return export.node("Relu", [value])[0]
    low = export.initializer("low", np.asarray(clip.low, np.float32)) if np.isfinite(clip.low) else ""
    high = export.initializer("high", np.asarray(clip.high, np.float32)) if np.isfinite(clip.high) else ""
    return export.node("Clip", [value, low, high])[0]
