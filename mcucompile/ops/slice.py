"""A regular part of a tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Arrays, Builder, Exporter, Moved, Node, OnnxNode, Perm, Shape, Unsupported, inverse
from .same_scale import SameScale


@dataclass(frozen=True)
class Slice(SameScale):
    """y[i0, i1, ...] = x[starts[0] + i0*steps[0], ...], 0 <= ik < sizes[k]; one entry per axis, steps of any sign."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    name = "slice"
    onnx = ("Slice",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        for start, size, step, extent in zip(self.starts, self.sizes, self.steps, shapes[0], strict=True):
            assert 0 <= start < extent and 0 <= start + (size - 1) * step < extent, f"{self} of {shapes[0]}"
        return (self.sizes,)

    def reference(self, *args: Array) -> Arrays:
        indices = [s + np.arange(n) * d for s, n, d in zip(self.starts, self.sizes, self.steps, strict=True)]
        return (args[0][np.ix_(*indices)],)

    def moved(self, perm: Perm) -> Moved:
        back = inverse(perm)
        starts, sizes, steps = (tuple(v[i] for i in back) for v in (self.starts, self.sizes, self.steps))
        return Moved(replace(self, starts=starts, sizes=sizes, steps=steps), perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        rank = len(x.shape)
        starts, ends = operand(node, build, 1, ()), operand(node, build, 2, ())
        axes = operand(node, build, 3, tuple(range(len(starts))))
        steps = operand(node, build, 4, (1,) * len(starts))
        ranges = [range(d) for d in x.shape]
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if step == 0 or not -rank <= axis < rank:
                raise Unsupported(f"axis {axis} with step {step}")
            ranges[axis] = range(x.shape[axis])[start:end:step]
        if not all(ranges):
            raise Unsupported("an empty result")
        op = cls(tuple(r.start for r in ranges), tuple(map(len, ranges)), tuple(r.step for r in ranges))
        build.result(node, x if op.sizes == x.shape and min(op.steps) > 0 else build.emit(op, x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        after = [s + n * d for s, n, d in zip(self.starts, self.sizes, self.steps, strict=True)]
        ends = [end if end >= 0 else -(1 << 31) for end in after]  # -1 would mean the last element
        axes = list(range(len(ends)))
        operands = [export.initializer("slice", np.asarray(v, np.int64)) for v in (self.starts, ends, axes, self.steps)]
        export.result(node, *export.node("Slice", [export.value(node.inputs[0]), *operands]))


def operand(node: OnnxNode, build: Builder, index: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """A constant list of integers."""
    values = build.values(node, index)
    return default if values is None else tuple(int(v) for v in values.ravel())
