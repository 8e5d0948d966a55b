"""Turn scales into the fixed-point constants that kernels and the reference compute with.

    %y = conv2d<...>(%x, %w, %b)   -->   %y = conv2d<..., requant=(64 values #..)>>(38,) half_up>(%x, %w, %b)

From here on scales are only information: no pass may replace an operator by another one that rounds differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CompileError
from ..ir import Graph, Node, Numerics
from .base import Pass


def is_integer(node: Node) -> bool:
    """Whether the node computes on stored integers."""
    return any(t.dtype.is_integer for t in [*node.activations(), *node.outputs])


def fix(node: Node, numerics: Numerics) -> None:
    """Give the node's operator its fixed-point constants. Raises E0103 and E0204, naming the node."""
    try:
        node.op = node.op.fix(node, numerics)
    except CompileError as error:
        raise error.at(node.where) from error


@dataclass(frozen=True)
class FixMultipliers(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        nodes = [n for n in graph.nodes if is_integer(n)]
        for node in nodes:
            fix(node, graph.numerics)
        return len(nodes)
