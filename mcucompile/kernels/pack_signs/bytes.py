"""Signs of int8 values into bits, eight at a time with DSP instructions, sixteen with Helium."""

from __future__ import annotations

from typing import ClassVar

from ...ir import DType, Node
from ...target.cores import Isa
from ..counted import Costs
from .plain import Plain


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

    def code_nbytes(self, node: Node) -> int:
        return 100


class VectorBytes(Bytes):
    """A comparison of a vector leaves 16 bits in the predicate."""

    isa = Isa.MVE
    costs: ClassVar[Costs] = {"cortex-m55": (0.25, 0.0, 4.0)}
    group = 16
