"""Product of two matrices on any core, two columns of a row at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import DType, Node, Shape
from ...ops.fixed_point import zero_of
from ...ops.matmul import MatMul
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..limits import bounds
from ..scaling import Scaling, is_wide, scaling

SOFT_FLOAT_CYCLES = 100


@dataclass(frozen=True)
class Axis:
    """A leading axis: how often, and how far apart its matrices are; 0 for an operand that is repeated along it."""

    count: int
    left_step: int
    right_step: int


@dataclass(frozen=True)
class DirectParams:
    """[rows, inner] @ [inner, columns] along `axes`. `order` names the operands that are activations."""

    axes: tuple[Axis, ...]
    rows: int
    inner: int
    columns: int
    left_type: str
    right_type: str
    left_zero: int
    right_zero: int
    acc_type: str
    order: tuple[str, ...]
    constants: tuple[str, ...]
    scaling: Scaling | None
    low: float | None = None
    high: float | None = None


class Direct(Kernel):
    op = MatMul
    variant = "direct"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        kinds = [t.dtype for t in (*node.inputs, node.output)]
        return all(k in (DType.I8, DType.I16) for k in kinds) or all(k is DType.F32 for k in kinds)

    def params(self, node: Node) -> DirectParams:
        (a, b), y = node.inputs, node.output
        names = {"left": a, "right": b}
        is_float, wide = y.dtype is DType.F32, is_wide(node)
        low, high = bounds(node) if is_float else (None, None)
        return DirectParams(
            axes_of(a.shape[:-2], b.shape[:-2], a.shape[-2] * a.shape[-1], b.shape[-2] * b.shape[-1]),
            a.shape[-2],
            a.shape[-1],
            b.shape[-1],
            a.dtype.c,
            b.dtype.c,
            zero_of(a),
            zero_of(b),
            "float" if is_float else "int64_t" if wide else "int32_t",
            tuple(name for name, t in names.items() if t.const is None),
            tuple(name for name, t in names.items() if t.const is not None),
            None if is_float else scaling(node, wide),
            low,
            high,
        )

    def constants(self, node: Node) -> tuple[Packed, ...]:
        named = zip(("left", "right"), node.inputs, strict=True)
        return tuple(Packed(name, t.const) for name, t in named if t.const is not None)

    def cycles(self, node: Node, core: Core) -> float:
        soft = node.output.dtype is DType.F32 and not core.has_fpu
        return (SOFT_FLOAT_CYCLES if soft else 6.0) * node.op.macs(node) + 30 * node.output.size


def axes_of(left: Shape, right: Shape, left_size: int, right_size: int) -> tuple[Axis, ...]:
    """The leading axes that have more than one matrix, outermost first; `*_size` are a matrix's elements."""
    axes = []
    for i in range(len(left)):
        steps = (
            0 if shape[i] == 1 else size * int(np.prod(shape[i + 1 :], dtype=np.int64))
            for shape, size in ((left, left_size), (right, right_size))
        )
        axes.append(Axis(max(left[i], right[i]), *steps))
    return tuple(a for a in axes if a.count > 1)
