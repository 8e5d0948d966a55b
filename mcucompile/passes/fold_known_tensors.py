"""Make constants of tensors that never change, whatever the network is given.

    %g = clamp(conv2d(%x, %w [zeros], %b)); %y = mul(%x, %g)   -->   %y = mul(%x, %g_known)

Squeeze-and-excitation gates are such tensors when they have saturated. Only operators that take a constant operand get
one: the others lose such channels in another way, in `remove_channels`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Array, Graph, Node, Tensor, constant
from ..ops.binary import Binary
from .base import Pass
from .channels.ranges import Ranges, ranges_of


@dataclass(frozen=True)
class FoldKnownTensors(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        ranges = ranges_of(graph)
        known = {t: r for n in graph.nodes for t in n.outputs if (r := ranges.get(t)) and bool(r.is_constant.all())}
        folded = [t for t in known if fold(graph, t, known)]
        graph.remove_unread()
        return len(folded)


def fold(graph: Graph, tensor: Tensor, known: Ranges) -> bool:
    """Let every operator that computes something else from the tensor read a constant; False where there is none."""
    readers = [n for n in graph.readers(tensor) if takes_constant(n, tensor) and n.output not in known]
    values = by_channel(known[tensor].low.astype(tensor.dtype.numpy))
    if values is None:
        return False
    if readers:
        stand_in = constant(graph.fresh_name(f"{tensor.name}_known"), values, tensor.quant)
        for node in readers:
            node.inputs = [stand_in if t is tensor else t for t in node.inputs]
    return bool(readers)


def by_channel(values: Array) -> Array | None:
    """One value for each index of the last axis, of the same rank; None where they differ along other axes.

    A whole image of constants would cost more flash than it saves.
    """
    first = values[tuple(slice(0, 1) for _ in values.shape[:-1])]
    return first if bool((values == first).all()) else None


def takes_constant(node: Node, tensor: Tensor) -> bool:
    """Whether another operand is computed."""
    return isinstance(node.op, Binary) and any(t is not tensor for t in node.activations())
