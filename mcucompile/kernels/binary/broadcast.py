"""Two operands whose shapes differ, as a nest of loops with a stride of 0 where an operand is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Node, Shape, Tensor
from ..kernel import Packed
from ..moves import strides_of
from ..sweeps import Access, upward
from ..trace import Trace


@dataclass(frozen=True)
class Axis:
    """`count` steps; operands a and b move `a` and `b` elements further in each."""

    count: int
    a: int
    b: int


@dataclass(frozen=True)
class Operands:
    """The parameters that all kernels on two operands share. The innermost axis has strides of 0 or 1.

    `before` and `after` name the operands that stand before and after the output in the C function's parameters.
    """

    axes: tuple[Axis, ...]
    a_type: str
    b_type: str
    y_type: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def outer(self) -> tuple[Axis, ...]:
        return self.axes[:-1]

    @property
    def inner(self) -> Axis:
        return self.axes[-1]


def operands(node: Node) -> Operands:
    a, b = node.inputs
    before = tuple(name for name, t in (("a", a), ("b", b)) if t.const is None)
    after = tuple(name for name, t in (("a", a), ("b", b)) if t.const is not None)
    return Operands(axes(a.shape, b.shape, node.output.shape), a.dtype.c, b.dtype.c, node.output.dtype.c, before, after)


def axes(a: Shape, b: Shape, y: Shape) -> tuple[Axis, ...]:
    """The loops over y, outermost first; axes along which both operands go on alike are one."""
    merged: list[Axis] = []
    for count, *strides in zip(y, broadcast_strides(a, y), broadcast_strides(b, y), strict=True):
        axis = Axis(count, *strides)
        if count == 1:
            continue
        if merged and (merged[-1].a, merged[-1].b) == (count * axis.a, count * axis.b):
            merged[-1] = Axis(merged[-1].count * count, axis.a, axis.b)
        else:
            merged.append(axis)
    return tuple(merged) or (Axis(1, 1, 1),)


def broadcast_strides(shape: Shape, y: Shape) -> Sequence[int]:
    full = (1,) * (len(y) - len(shape)) + shape
    return [0 if size == 1 else stride for size, stride in zip(full, strides_of(full), strict=True)]


def constant_operands(node: Node) -> tuple[Packed, ...]:
    return tuple(Packed("operand", t.const) for t in node.inputs if t.const is not None)


def broadcast_trace(node: Node) -> Trace:
    """Element by element; an operand that is repeated may be read as a whole in every step."""
    reads = [access(k, t, node.output.shape) for k, t in enumerate(node.activations())]
    unit = node.output.dtype.nbytes
    return upward(node.output.size, reads, [Access(len(reads), unit, unit)])


def access(operand: int, tensor: Tensor, y: Shape) -> Access:
    if tensor.size < Tensor("y", y).size:
        return Access(operand, tensor.nbytes, 0)
    return Access(operand, tensor.dtype.nbytes, tensor.dtype.nbytes)
