"""Functions of one real number: a loop around the expression that each operator's own template fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import DType, Node
from ...target.cores import Core, Isa
from ..kernel import Kernel, all_of
from ..sweeps import elementwise
from ..trace import Trace


@dataclass(frozen=True)
class RealParams:
    """`coefficients` are the operator's own numbers."""

    size: int
    coefficients: tuple[float, ...]


class Real(Kernel):
    """Base of the float32 kernels: subclasses name the operator and its fields that are coefficients."""

    isa = Isa.SCALAR
    coefficients: ClassVar[tuple[str, ...]] = ()
    operations: ClassVar[int]  # floating-point operations per element

    @property
    def template(self) -> str:
        return f"kernels/{self.op.name}/real.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        return all_of(node, DType.F32)

    def params(self, node: Node) -> RealParams:
        return RealParams(node.output.size, tuple(float(getattr(node.op, c)) for c in self.coefficients))

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 4, 4)

    def cycles(self, node: Node, core: Core) -> float:
        return (6 + self.operations * (2.0 if core.has_fpu else 60.0)) * node.output.size
