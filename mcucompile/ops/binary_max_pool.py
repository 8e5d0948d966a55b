"""Largest sign of a sliding window on packed signs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Arrays, Band, Node, Op, Shape
from .window import Window


@dataclass(frozen=True)
class BinaryMaxPool(Op):
    """MaxPool of packed signs [N,H,W,words] (ops/bits.py): a window's bits combined by OR. Padding does not count."""

    window: Window

    name = "binary_max_pool"

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        ((n, h, w, c),) = shapes
        return ((n, *self.window.output_size(h, w), c),)

    def reference(self, *args: Array) -> Arrays:
        views = self.window.views(args[0])
        return (np.bitwise_or.reduce(views.reshape(*views.shape[:4], -1), axis=-1),)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        return self.reference(*stored)

    def band(self, node: Node, rows: range) -> Band | None:
        window, of_input = self.window.band(rows, node.inputs[0].shape[1])
        return Band(replace(self, window=window), (of_input,))
