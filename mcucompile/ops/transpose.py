"""Axes in another order. Passes remove nearly all of them; one that only moves axes of size 1 becomes a Reshape."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Array, Arrays, Builder, Exporter, Node, OnnxNode, Shape, permuted
from .same_scale import SameScale


@dataclass(frozen=True)
class Transpose(SameScale):
    """Axis i of the output is axis perm[i] of the input."""

    perm: tuple[int, ...]

    name = "transpose"
    onnx = ("Transpose",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (permuted(shapes[0], self.perm),)

    def reference(self, *args: Array) -> Arrays:
        return (args[0].transpose(self.perm),)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        perm = node.ints("perm", tuple(range(len(x.shape)))[::-1])
        build.result(node, build.emit(cls(perm), x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, export.transpose(export.value(node.inputs[0]), self.perm))
