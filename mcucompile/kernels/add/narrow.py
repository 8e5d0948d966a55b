"""What kernels share that compute sums and differences of several int8 at a time."""

from __future__ import annotations

from ...ir import DType, Node
from .linear import Linear


class Narrow(Linear):
    """Base: all tensors are int8, and every sum fits 32 bits."""

    @property
    def template(self) -> str:
        return f"kernels/add/{self.variant}.{self.isa.name.lower()}.c.j2"

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (*node.inputs, *node.outputs))
        return int8 and super().fits(node) and self.params(node).fixed.bits == 32
