"""Sums and differences of int8, four at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from .narrow import Narrow


class Vectors(Narrow):
    variant = "vectors"
    isa = Isa.MVE

    def cycles(self, node: Node, core: Core) -> float:
        return 4.0 * node.output.size
