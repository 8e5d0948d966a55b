"""Depthwise convolution on NHWC: every input channel has `multiplier` filters of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Array, Arrays, Band, Clip, Exporter, Node, Requant, Shape
from .weighted import Weighted
from .window import Window


@dataclass(frozen=True)
class DepthwiseConv2d(Weighted):
    """Inputs x [N,H,W,C], w [KH,KW,O], b [O] with O = C*multiplier; output channel o reads channel o // multiplier."""

    window: Window
    clip: Clip = NO_CLIP
    requant: Requant | None = None

    name = "depthwise_conv2d"
    weight_axis = 2

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        (n, h, w, c), weight, bias = shapes
        *kernel, outputs = weight
        assert tuple(kernel) == self.window.kernel, f"weights {weight} for a window {self.window}"
        assert outputs % c == 0 and bias == (outputs,), f"weights {weight} and bias {bias} for {c} channels"
        return ((n, *self.window.output_size(h, w), outputs),)

    def band(self, node: Node, rows: range) -> Band | None:
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input, None, None))

    def reference(self, *args: Array) -> Arrays:
        x, w, b = args
        views = self.window.views(np.repeat(x, w.shape[2] // x.shape[3], axis=3))  # [N,OH,OW,O,KH,KW]
        taps = np.ndindex(self.window.kernel)
        y = sum((views[..., i, j] * w[i, j] for i, j in taps), start=b)  # ten times as fast as einsum
        return (y if np.issubdtype(y.dtype, np.integer) else np.clip(y, self.clip.low, self.clip.high),)

    @property
    def pads(self) -> bool:
        return any(self.window.pads)

    def per_input(self, weight: Shape, values: Array) -> Array:
        return np.repeat(values, weight[2] // values.size)

    def input_reach(self, magnitude: Array) -> None:
        return None

    def macs(self, node: Node) -> int:
        return node.output.size * self.window.taps

    def to_onnx(self, node: Node, export: Exporter) -> None:
        from .conv2d import export_clip, export_conv  # Conv imports this file: one ONNX operator, two of ours

        x, w, b = (export.value(t) for t in node.inputs)
        kh, kw, outputs = node.inputs[1].shape
        shape = export.initializer("shape", np.asarray([outputs, 1, kh, kw], np.int64))
        (filters,) = export.node("Reshape", [export.transpose(w, (2, 0, 1)), shape])
        y = export_conv(export, x, filters, b, self.window, node.inputs[0].shape[3])
        export.result(node, export_clip(export, y, self.clip))
