"""Signs of int8 values into bits, eight at a time with DSP instructions, sixteen with Helium."""

from __future__ import annotations

from typing import ClassVar

from ...ir import DType, Node
from ...target.cores import Isa
from ..counted import Costs
from ..sweeps import Access, upward
from ..trace import Range, Sweep, Trace
from .plain import PackParams, Plain


class Bytes(Plain):
    """Compares four values with SSUB8, whose flags SEL turns into bits."""

    variant = "bytes"
    isa: ClassVar[Isa] = Isa.DSP
    costs: ClassVar[Costs] = {
        "cortex-m4": (1.8, 0.0, 9.0),
        "cortex-m7": (1.1, 0.0, 7.0),
        "cortex-m33": (1.8, 0.0, 9.0),
        "cortex-m55": (1.4, 0.0, 6.0),
    }
    group: ClassVar[int] = 8

    def fits(self, node: Node) -> bool:
        x = node.inputs[0]
        if x.dtype is not DType.I8 or x.shape[-1] % self.group:
            return False
        return self.params(node).below < DType.I8.high

    def trace(self, node: Node) -> Trace:
        """Unlike the other kernels, this one writes the bytes of a word one by one, each behind the eight it is of."""
        p = self.params(node)
        if p.channels % 32 == 0:
            return upward(p.rows * p.channels // 8, [Access(0, 8, 8)], [Access(1, 1, 1)])
        return tuple(sweep for row in range(p.rows) for sweep in filled_row(p, row))

    def code_nbytes(self, node: Node) -> int:
        return 100


class VectorBytes(Bytes):
    """A comparison of a vector leaves 16 bits in the predicate."""

    isa = Isa.MVE
    costs: ClassVar[Costs] = {"cortex-m55": (0.25, 0.0, 4.0)}
    group = 16

    def trace(self, node: Node) -> Trace:
        return Plain.trace(self, node)


def filled_row(p: PackParams, row: int) -> tuple[Sweep, Sweep]:
    """A row whose last word is filled up with bytes of zeros."""
    count, y = p.channels // 8, row * 4 * p.words
    return (
        Sweep(count, (Range(0, row * p.channels, 8, 8),), (Range(1, y, 1, 1),)),
        Sweep(1, (), (Range(1, y + count, 0, 4 * p.words - count),)),
    )
