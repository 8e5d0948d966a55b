"""What the kernels of Softmax and LogSoftmax share: rows, and exponentials from tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Node
from ...ops.softmax import ExpTable
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed, all_of
from ..sweeps import Access, upward
from ..trace import Trace


@dataclass(frozen=True)
class Rows:
    """`count` rows of `size` elements; with `has_high`, exponentials are products of entries of two tables."""

    count: int
    size: int
    x_type: str
    y_type: str
    has_high: bool = False


class RowKernel(Kernel):
    """Base: an element's input is read for the last time just before its output is written, upward."""

    def trace(self, node: Node) -> Trace:
        x, y = node.inputs[0].dtype.nbytes, node.output.dtype.nbytes
        return upward(node.output.size, [Access(0, x, x)], [Access(1, y, y)])


class RealRows(RowKernel):
    """Base of the float32 kernels."""

    variant = "real"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all_of(node, DType.F32)

    def params(self, node: Node) -> Rows:
        return rows(node)

    def cycles(self, node: Node, core: Core) -> float:
        return (100.0 if core.has_fpu else 2500.0) * node.output.size


def rows(node: Node) -> Rows:
    x, y = node.inputs[0], node.output
    exp = getattr(node.op, "exp", None)
    return Rows(x.size // x.shape[-1], x.shape[-1], x.dtype.c, y.dtype.c, exp is not None and bool(exp.high))


def exp_constants(node: Node) -> tuple[Packed, ...]:
    exp = getattr(node.op, "exp", None)
    assert isinstance(exp, ExpTable), f"{node.where} has no fixed-point constants yet"
    high = (Packed("exp_high", words(exp.high)),) if exp.high else ()
    return (Packed("exp", words(exp.low)), *high)


def words(values: tuple[int, ...]) -> Array:
    """Unsigned words as the int32 with the same bits."""
    return np.asarray(values, np.uint32).view(np.int32)
