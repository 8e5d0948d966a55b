"""A border of one value around a tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import (
    Array,
    Arrays,
    Band,
    Builder,
    Exporter,
    Moved,
    Node,
    Numerics,
    OnnxNode,
    Perm,
    Shape,
    Tensor,
    Unsupported,
    inverse,
)
from .same_scale import SameScale
from .slice import Slice, operand


@dataclass(frozen=True)
class Pad(SameScale):
    """begins[k] entries before and ends[k] after axis k hold `value`; none is negative.

    Integers: the border holds `stored`, which `fix` quantizes from `value` (the zero point for value 0).
    """

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    value: float = 0.0
    stored: int | None = None

    name = "pad"
    onnx = ("Pad",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (tuple(b + d + e for b, d, e in zip(self.begins, shapes[0], self.ends, strict=True)),)

    def reference(self, *args: Array) -> Arrays:
        fill = self.stored if np.issubdtype(args[0].dtype, np.integer) else self.value
        assert fill is not None
        return (np.pad(args[0], tuple(zip(self.begins, self.ends, strict=True)), constant_values=fill),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        quant = node.output.quant
        return replace(self, stored=quant.integer(self.value) if quant else int(self.value))

    def band(self, node: Node, rows: range) -> Band | None:
        before, height = self.begins[1], node.inputs[0].shape[1]
        first, last = max(rows.start - before, 0), min(rows.stop - before, height)
        if first >= last:
            return None
        begins = (self.begins[0], first - (rows.start - before), *self.begins[2:])
        ends = (self.ends[0], rows.stop - before - last, *self.ends[2:])
        return Band(replace(self, begins=begins, ends=ends), (range(first, last),))

    def moved(self, perm: Perm) -> Moved:
        back = inverse(perm)
        begins, ends = (tuple(v[i] for i in back) for v in (self.begins, self.ends))
        return Moved(replace(self, begins=begins, ends=ends), perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """Negative pads cut the tensor first."""
        mode = node.string("mode", "constant")
        if mode != "constant":
            raise Unsupported(f"mode {mode!r}", "pad with a constant")
        x = build.input(node, 0)
        begins, ends = all_pads(node, build, len(x.shape))
        value = build.values(node, 2)
        fill = 0.0 if value is None else float(value.ravel()[0])
        inside = cut(build, x, tuple(-min(b, 0) for b in begins), tuple(-min(e, 0) for e in ends))
        op = cls(tuple(max(b, 0) for b in begins), tuple(max(e, 0) for e in ends), fill)
        build.result(node, build.emit(op, inside, name=node.name) if any((*op.begins, *op.ends)) else inside)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        pads = export.initializer("pads", np.asarray([*self.begins, *self.ends], np.int64))
        value = export.initializer("value", np.asarray(self.value, np.float32))
        export.result(node, *export.node("Pad", [export.value(node.inputs[0]), pads, value]))


def all_pads(node: OnnxNode, build: Builder, rank: int) -> tuple[list[int], list[int]]:
    """Begins and ends for every axis; input 3 may name the axes that `pads` is about."""
    pads = operand(node, build, 1, ())
    axes = operand(node, build, 3, tuple(range(rank)))
    begins, ends = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        begins[axis], ends[axis] = pads[i], pads[i + len(axes)]
    return begins, ends


def cut(build: Builder, x: Tensor, begins: tuple[int, ...], ends: tuple[int, ...]) -> Tensor:
    """x without its first begins[k] and last ends[k] entries."""
    if not any((*begins, *ends)):
        return x
    sizes = tuple(d - b - e for b, d, e in zip(begins, x.shape, ends, strict=True))
    if min(sizes) <= 0:
        raise Unsupported("pads that leave nothing")
    return build.emit(Slice(begins, sizes, (1,) * len(sizes)), x)
