"""Sums and differences of int8, four values a load."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Core, Isa
from ..binary.broadcast import operands
from .linear import Linear


class Words(Linear):
    variant = "words"
    isa = Isa.DSP

    @property
    def template(self) -> str:
        return "kernels/add/words.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        return is_narrow_int8(node, self) and operands(node).inner.count >= 4

    def cycles(self, node: Node, core: Core) -> float:
        return 8.0 * node.output.size


def is_narrow_int8(node: Node, kernel: Linear) -> bool:
    """Whether all tensors are int8 and every sum fits 32 bits."""
    if not Linear.fits(kernel, node):
        return False
    int8 = all(t.dtype is DType.I8 for t in (*node.inputs, *node.outputs))
    return int8 and kernel.params(node).fixed.bits == 32
