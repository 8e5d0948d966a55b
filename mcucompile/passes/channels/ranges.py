"""Which stored integers every element of every activation may hold, for every possible input of the network.

The bounds follow from the weights alone, by interval arithmetic on the very integer formulas. An element whose bounds
meet is constant: always so, whatever the network is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...ir import Array, DType, Graph, Node, Tensor, integer_clip
from ...ops.add import Add
from ...ops.average_pool import AveragePool
from ...ops.mul import Mul
from ...ops.reduce_mean import ReduceMean
from ...ops.same_scale import SameScale
from ...ops.sub import Sub
from ...ops.unary import Unary
from ...ops.weighted import Weighted

# Operators whose stored outputs go one way only, up or down, as one operand goes up and the others stay.
MONOTONE = (Add, AveragePool, Mul, ReduceMean, SameScale, Sub)


@dataclass(frozen=True, eq=False)
class Range:
    """The smallest and the largest stored value of each element, as int64 arrays of the tensor's shape."""

    low: Array
    high: Array

    @property
    def is_constant(self) -> Array:
        """Per element."""
        return np.asarray(self.low == self.high)


Ranges = Mapping[Tensor, Range]


def ranges_of(graph: Graph) -> dict[Tensor, Range]:
    """Of every integer activation of a graph with fixed-point constants."""
    found = {t: whole(t) for t in graph.inputs if t.dtype.is_integer}
    for node in graph.nodes:
        outputs = node_ranges(node, found) if is_stored(node) else [whole(t) for t in node.outputs]
        found.update((t, r) for t, r in zip(node.outputs, outputs, strict=True) if t.dtype.is_integer)
    return found


def is_stored(node: Node) -> bool:
    """Whether the node computes integers from integers."""
    return all(t.dtype.is_integer for t in [*node.inputs, *node.outputs])


def whole(tensor: Tensor) -> Range:
    """Everything that the type can hold."""
    if not tensor.dtype.is_integer:
        return Range(np.zeros(0), np.zeros(0))
    ends = (np.broadcast_to(np.int64(v), tensor.shape) for v in (tensor.dtype.low, tensor.dtype.high))
    return Range(*ends)


def node_ranges(node: Node, found: Ranges) -> list[Range]:
    """Bounds of the outputs: exact for each output alone where no input element is read twice, else outside."""
    if isinstance(node.op, Weighted):
        return [weighted(node, node.op, found[node.inputs[0]])]
    if isinstance(node.op, MONOTONE):
        return corners(node, found)
    if isinstance(node.op, Unary) and node.inputs[0].dtype is not DType.I16:
        return [table(node, node.op, found[node.inputs[0]])]
    return [whole(t) for t in node.outputs]


def weighted(node: Node, op: Weighted, x: Range) -> Range:
    """Requantization never falls as the sum rises."""
    y, sums, clip = node.output, sum_range(node, x), integer_clip(op.clip, node)
    assert y.quant and op.requant
    ends = (op.requant.apply(end) + y.quant.zero for end in (sums.low, sums.high))
    return Range(*(np.clip(end, *clip).astype(np.int64) for end in ends))


def sum_range(node: Node, x: Range) -> Range:
    """The sums of a layer: bias + sum(middle * w) -+ sum(radius * |w|); both sums are doubled, to be of integers."""
    quant, weights, bias = node.inputs[0].quant, node.inputs[1].const, node.inputs[2].const
    assert quant and weights is not None and bias is not None
    w, nothing = weights.astype(np.int64), np.zeros(bias.shape, np.int64)
    (middle,) = node.op.reference(x.low + x.high - 2 * quant.zero, w, nothing)
    (radius,) = node.op.reference(x.high - x.low, np.abs(w), nothing)
    return Range(bias + (middle - radius) // 2, bias + (middle + radius) // 2)


def sums_of(node: Node, x: Range) -> list[tuple[int, int]]:
    """The smallest and the largest sum of each output channel, at any position."""
    sums, channels = sum_range(node, x), node.output.shape[-1]
    low, high = sums.low.reshape(-1, channels).min(axis=0), sums.high.reshape(-1, channels).max(axis=0)
    return list(zip(map(int, low), map(int, high), strict=True))


def corners(node: Node, found: Ranges) -> list[Range]:
    """A monotone operator's extremes lie at those of its operands: all up and all down where they move together."""
    operands = [(t.const, t.const) if t.const is not None else (found[t].low, found[t].high) for t in node.inputs]
    choices = list(product(*operands)) if isinstance(node.op, Mul | Sub) else list(zip(*operands, strict=True))
    types = [t.dtype.numpy for t in node.inputs]
    results = [
        node.op.reference_int(node, *(v.astype(d) for v, d in zip(choice, types, strict=True))) for choice in choices
    ]
    stacked = [np.stack(of_output).astype(np.int64) for of_output in zip(*results, strict=True)]
    return [Range(s.min(axis=0), s.max(axis=0)) for s in stacked]


def table(node: Node, op: Unary, x: Range) -> Range:
    """The least and the largest entry between the bounds."""
    assert op.table is not None
    first = node.inputs[0].dtype.low
    entries = np.asarray(op.table, np.int64)
    size = len(entries)
    upper = np.triu(np.ones((size, size), bool))
    rising = np.maximum.accumulate(np.where(upper, entries, entries.min()), axis=1)  # [i, j]: of entries i..j
    falling = np.minimum.accumulate(np.where(upper, entries, entries.max()), axis=1)
    at = (x.low - first, x.high - first)
    return Range(falling[at], rising[at])
