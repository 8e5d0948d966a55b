"""Turn scales into the fixed-point constants that kernels and the reference compute with.

    %y = conv2d<...>(%x, %w, %b)   -->   %y = conv2d<..., requant=(64 values #..)>>(38,) half_up>(%x, %w, %b)

From here on scales are only information: no pass may replace an operator by another one that rounds differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Graph, Node
from .base import Pass


def is_integer(node: Node) -> bool:
    """Whether the node computes on stored integers."""
    return any(t.dtype.is_integer for t in [*node.activations(), *node.outputs])


@dataclass(frozen=True)
class FixMultipliers(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        nodes = [n for n in graph.nodes if is_integer(n)]
        for node in nodes:
            node.op = node.op.fix(node, graph.numerics)
        return len(nodes)
