"""Several tensors one after the other along an axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Arrays, Builder, Exporter, Moved, Node, OnnxNode, Perm, Shape, Unsupported
from .same_scale import SameScale


@dataclass(frozen=True)
class Concat(SameScale):
    """The inputs joined along `axis` (not negative)."""

    axis: int

    name = "concat"
    onnx = ("Concat",)
    constants_move = True

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        total = sum(shape[self.axis] for shape in shapes)
        return ((*shapes[0][: self.axis], total, *shapes[0][self.axis + 1 :]),)

    def reference(self, *args: Array) -> Arrays:
        return (np.concatenate(args, axis=self.axis),)

    def moved(self, perm: Perm) -> Moved:
        return Moved(replace(self, axis=perm[self.axis]), perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        inputs = [build.input(node, i) for i in range(len(node.inputs))]
        rank = len(inputs[0].shape)
        axis = node.integer("axis")
        if not -rank <= axis < rank:
            raise Unsupported(f"axis {axis} of a tensor with {rank} axes")
        build.result(node, build.emit(cls(axis % rank), *inputs, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, *export.node("Concat", [export.value(t) for t in node.inputs], axis=self.axis))
