"""The chain of operators that takes a layer's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Array, Graph, Node, Op, Tensor, constant, unique_identifier


@dataclass(frozen=True, eq=False)
class Part:
    """One operator of a chain: its first input is what the part before it computes, the others are these constants."""

    op: Op
    constants: tuple[Array, ...] = ()


def without_bias(weight: Array, channels: int) -> tuple[Array, Array]:
    """The constants of a part whose bias is zero."""
    return weight, np.zeros(channels)


def nodes_of(
    parts: Sequence[Part], x: Tensor, y: Tensor, name: Callable[[str], str], source: tuple[str, ...] = ()
) -> list[Node]:
    """Nodes that compute `y` from `x`. `name` makes a fresh name of a wish; constants become float32."""
    nodes: list[Node] = []
    for i, part in enumerate(parts):
        output = y
        if i + 1 < len(parts):
            (shape,) = part.op.infer(x.shape, *(c.shape for c in part.constants))
            output = Tensor(name(f"{y.name}_part"), shape)
        names = [name(f"{output.name}_{role(part, k)}") for k in range(len(part.constants))]
        constants = [constant(n, c.astype(np.float32)) for n, c in zip(names, part.constants, strict=True)]
        nodes.append(Node(part.op, [x, *constants], [output], source))
        x = output
    return nodes


def role(part: Part, index: int) -> str:
    return ("weight", "bias")[index] if len(part.constants) == 2 else "term"


def put(graph: Graph, node: Node, parts: Sequence[Part]) -> list[Node]:
    """Replace the node by the chain, which computes the same tensor; the new nodes."""
    place = graph.nodes.index(node)
    graph.remove(node)
    taken = {t.name for t in [*graph.activations(), *graph.constants(), node.output]}

    def name(base: str) -> str:
        fresh = unique_identifier(base, taken)
        taken.add(fresh)
        return fresh

    nodes = nodes_of(parts, node.inputs[0], node.output, name, node.source)
    graph.nodes[place:place] = nodes
    return nodes


def plain_graph(parts: Sequence[Part], x: Tensor, y: Tensor) -> Graph:
    """The chain by itself."""
    numbers = iter(range(1 << 20))
    source = Tensor("x", x.shape)
    target = Tensor("y", y.shape)
    return Graph("chain", [source], [target], nodes_of(parts, source, target, lambda base: f"{base}_{next(numbers)}"))


def macs_of(nodes: Sequence[Node]) -> int:
    return sum(n.op.macs(n) for n in nodes)


def weights_of(nodes: Sequence[Node]) -> int:
    """Elements of all constants but biases, which every layer has."""
    return sum(n.inputs[1].size for n in nodes if len(n.inputs) > 1)
