"""What the integers mean that a model moves around before it says so.

Exporters reshape or transpose a stored tensor first and dequantize the result; in the IR every stored tensor has its
scale and zero point from the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..ir import DType, Graph, Node, QuantParams, Tensor
from ..ops.requantize import Requantize
from ..ops.same_scale import SameScale
from .problems import Problem

STORED = (DType.I8, DType.U8, DType.I16)


def settle(graph: Graph) -> list[Problem]:
    """Spread scales and zero points along operators that keep values; what stays without a meaning, or gets two."""
    movers = [n for n in graph.nodes if isinstance(n.op, (SameScale, Requantize)) and n.outputs[0].dtype in STORED]
    while sum([spread(n) for n in movers]) + sum([spread(n) for n in reversed(movers)]):
        pass
    problems = [*conflicts(movers), *unread(graph)]
    for node in movers:
        if isinstance(node.op, Requantize) and not problems:
            node.op = node.op.fix(node, graph.numerics)
    return problems


def spread(node: Node) -> bool:
    """Give tensors of the node that have no meaning that of the others; whether that changed any."""
    if isinstance(node.op, Requantize):
        return across(node.inputs[0], node.output)
    tensors = [*node.activations(), *node.outputs]
    known = next((t.quant for t in tensors if t.quant), None)
    missing = [t for t in tensors if t.quant is None]
    for t in missing:
        t.quant = known
    return known is not None and bool(missing)


def across(x: Tensor, y: Tensor) -> bool:
    """A change between int8 and uint8 at the graph's boundary: the same scale, the zero point moved."""
    if (x.quant is None) == (y.quant is None):
        return False
    if y.quant:
        x.quant = retyped(y.quant, x.dtype)
    elif x.quant:
        y.quant = retyped(x.quant, y.dtype)
    return True


def retyped(quant: QuantParams, dtype: DType) -> QuantParams:
    return replace(quant, zero=quant.zero + dtype.low - quant.dtype.low, dtype=dtype)


def conflicts(movers: Iterable[Node]) -> list[Problem]:
    reason = "it joins or moves integers that have different scales or zero points"
    fix = "put a DequantizeLinear before and a QuantizeLinear behind it"
    return [
        Problem(n.where, reason, fix)
        for n in movers
        if not isinstance(n.op, Requantize) and len({t.quant for t in [*n.activations(), *n.outputs]}) > 1
    ]


def unread(graph: Graph) -> list[Problem]:
    """Integers that nobody dequantizes have no meaning."""
    problems = []
    for t in graph.activations():
        if t.dtype in STORED and t.quant is None and (t in graph.outputs or graph.readers(t)):
            problems.append(Problem(f"tensor '{t.name}'", f"{t.dtype.value} values without scale and zero point"))
    return problems
