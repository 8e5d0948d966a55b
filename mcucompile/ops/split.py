"""One tensor cut into several along an axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Arrays, Builder, Exporter, Moved, Node, OnnxNode, Perm, Shape, Unsupported
from .same_scale import SameScale


@dataclass(frozen=True)
class Split(SameScale):
    """Output k takes the next sizes[k] entries along `axis`."""

    axis: int
    sizes: tuple[int, ...]

    name = "split"
    onnx = ("Split",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        (shape,) = shapes
        return tuple((*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes)

    def reference(self, *args: Array) -> Arrays:
        return tuple(np.split(args[0], np.cumsum(self.sizes)[:-1], axis=self.axis))

    def moved(self, perm: Perm) -> Moved:
        return Moved(replace(self, axis=perm[self.axis]), perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        axis = node.integer("axis") % len(x.shape)
        given, parts = build.values(node, 1), len(node.outputs)
        chunk = -(-x.shape[axis] // parts)
        equal = [min(chunk, x.shape[axis] - i * chunk) for i in range(parts)]
        sizes = tuple(int(s) for s in (equal if given is None else given.ravel()))
        if sum(sizes) != x.shape[axis] or min(sizes) <= 0 or len(sizes) != parts:
            raise Unsupported(f"sizes {list(sizes)} for an axis of {x.shape[axis]}")
        build.result(node, *build.emit_many(cls(axis, sizes), x, names=node.outputs))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        sizes = export.initializer("sizes", np.asarray(self.sizes, np.int64))
        outputs = export.node("Split", [export.value(node.inputs[0]), sizes], outputs=len(self.sizes), axis=self.axis)
        export.result(node, *outputs)
