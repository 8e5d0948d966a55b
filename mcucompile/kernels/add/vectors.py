"""Sums and differences of int8, four at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from .linear import Linear
from .words import is_narrow_int8


class Vectors(Linear):
    variant = "vectors"
    isa = Isa.MVE

    @property
    def template(self) -> str:
        return "kernels/add/vectors.mve.c.j2"

    def fits(self, node: Node) -> bool:
        return is_narrow_int8(node, self)

    def cycles(self, node: Node, core: Core) -> float:
        return 4.0 * node.output.size
