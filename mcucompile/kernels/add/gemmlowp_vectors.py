"""Sums and differences of int8 on two scales as TensorFlow Lite rounds them, four at a time."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Isa
from .gemmlowp import Gemmlowp


class GemmlowpVectors(Gemmlowp):
    variant = "gemmlowp_vectors"
    isa = Isa.MVE
    costs = {"cortex-m55": (11.0,)}

    @property
    def template(self) -> str:
        return "kernels/add/gemmlowp_vectors.mve.c.j2"

    def fits(self, node: Node) -> bool:
        int8 = all(t.dtype is DType.I8 for t in (*node.inputs, *node.outputs))
        return int8 and super().fits(node) and min(self.params(node).fixed.shifts) >= 0

    def code_nbytes(self, node: Node) -> int:
        return 250
