"""Maximum of int8 over a window, four channels a load."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Core, Isa
from ..kernel import all_of
from ..pooling import pool_walk
from .plain import Plain


class Words(Plain):
    variant = "words"
    isa = Isa.DSP

    def fits(self, node: Node) -> bool:
        return super().fits(node) and all_of(node, DType.I8) and pool_walk(node).channels >= 4

    def cycles(self, node: Node, core: Core) -> float:
        return (2.0 * pool_walk(node).window.taps + 8) * node.output.size
