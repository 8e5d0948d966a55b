"""Largest value of a sliding window on NHWC; the global maximum is a window of the whole image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Array, Arrays, Band, Builder, Clip, Exporter, Node, OnnxNode, Shape, Unsupported, nchw, nhwc
from .conv2d import export_clip, from_image, to_image
from .same_scale import SameScale
from .window import Window, window_from_onnx


@dataclass(frozen=True)
class MaxPool(SameScale):
    """y[n,i,j,c] = max over ky,kx of x[n, i*sy+ky*dy-top, j*sx+kx*dx-left, c]; taps in the padding do not count.

    Integers: the same on stored values, with one scale for x and y, then limited to the clip's stored bounds.
    """

    window: Window
    clip: Clip = NO_CLIP

    name = "max_pool"
    onnx = ("MaxPool", "GlobalMaxPool")

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        ((n, h, w, c),) = shapes
        return ((n, *self.window.output_size(h, w), c),)

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        if np.issubdtype(x.dtype, np.integer):
            return (self.window.views(x, np.iinfo(x.dtype).min).max(axis=(-2, -1)),)
        return (np.clip(self.window.views(x, -np.inf).max(axis=(-2, -1)), self.clip.low, self.clip.high),)

    def band(self, node: Node, rows: range) -> Band | None:
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input,))

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        return self.clip.is_homogeneous

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        if len(node.outputs) > 1 and node.outputs[1]:
            raise Unsupported("the output of indices")
        window = pool_window(node, x.shape, node.op_type == "GlobalMaxPool")
        image = to_image(build, x)
        if not window.reaches_inside(*image.shape[1:3]):
            raise Unsupported("a window that lies in the padding altogether")
        y = build.emit(cls(window), image, name=node.name)
        build.result(node, from_image(build, y, len(x.shape)))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        (y,) = export_pool(export, export.value(node.inputs[0]), "MaxPool", self.window)
        export.result(node, export_clip(export, y, self.clip))


def pool_window(node: OnnxNode, shape: Shape, is_global: bool = False, ceil_mode: bool | None = None) -> Window:
    """The window of an ONNX pool over [N,C,H,W] or [N,C,L]; `ceil_mode` overrides the attribute."""
    image = shape[2:]
    if len(image) not in (1, 2):
        raise Unsupported(f"pooling over {len(image)} axes", "use a pool over one or two axes")
    if is_global:
        return Window((1, image[0]) if len(image) == 1 else (image[0], image[1]))
    ceil = bool(node.integer("ceil_mode")) if ceil_mode is None else ceil_mode
    window = window_from_onnx(node, node.ints("kernel_shape"), image, ceil)
    height, width = (1, image[0]) if len(image) == 1 else image
    if min(window.output_size(height, width)) < 1:
        raise Unsupported(f"a window {window} larger than the padded image of {height}x{width}")
    return window


def export_pool(export: Exporter, x: str, op_type: str, window: Window, **attributes: int) -> list[str]:
    """An ONNX pool on an NHWC value, between two transposes."""
    (y,) = export.node(
        op_type, [export.transpose(x, nchw(4))], kernel_shape=window.kernel, strides=window.strides,
        pads=window.pads, dilations=window.dilations, **attributes,
    )  # fmt: skip
    return [export.transpose(y, nhwc(4))]
