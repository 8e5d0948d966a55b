"""Maximum of int8 over a window, sixteen channels at a time."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Core, Isa
from ..kernel import all_of
from ..pooling import pool_walk
from .plain import Plain


class Vectors(Plain):
    variant = "vectors"
    isa = Isa.MVE

    def fits(self, node: Node) -> bool:
        return super().fits(node) and all_of(node, DType.I8)

    def cycles(self, node: Node, core: Core) -> float:
        walk = pool_walk(node)
        vectors = -(-walk.channels // 16) * node.output.size / walk.channels
        return (6.0 * walk.window.taps + 20) * vectors
