"""Which tensors become integers, and which of them share a scale and zero point.

Operators that only move values tie their inputs to their outputs; tied tensors form groups, and a group gets one range:
the union of its members'. Where several groups meet (Concat, Max), they become one group, unless that would cost an
input its resolution for another reader, or an input's range is fixed: such an input is rescaled on its way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import DType, Graph, Node, QuantParams, ScaleRule, Tensor
from .calibrate.ranges import Range
from .quantization_rules import rule

SUFFERS = 1.5  # an input with another reader is rescaled when its step would grow by more than this


@dataclass(frozen=True, eq=False)
class Plan:
    """`quants` has every activation that becomes an integer; `rescaled` the (node, input index) that need a Requantize.

    Nodes of `floats` are computed on real numbers.
    """

    quants: dict[Tensor, QuantParams]
    rescaled: frozenset[tuple[Node, int]]
    floats: frozenset[Node]


@dataclass(eq=False)
class Group:
    """Tensors of one scale and zero point."""

    members: list[Tensor]
    range: Range
    fixed: QuantParams | None = None

    def params(self, dtype: DType) -> QuantParams:
        return self.fixed or self.range.params(dtype)


@dataclass(eq=False)
class Groups:
    """The group of every integer activation."""

    graph: Graph
    dtype: DType
    of: dict[Tensor, Group] = field(default_factory=dict)

    def merge(self, a: Tensor, b: Tensor) -> None:
        into, other = self.of[a], self.of[b]
        if into is other:
            return
        assert not (into.fixed and other.fixed) or into.fixed == other.fixed
        into.members += other.members
        into.range, into.fixed = into.range.union(other.range), into.fixed or other.fixed
        for t in other.members:
            self.of[t] = into


def plan(graph: Graph, ranges: dict[Tensor, Range], dtype: DType) -> Plan:
    """Scales for all activations of a float graph from the ranges of its tensors."""
    floats = float_nodes(graph)
    groups = Groups(graph, dtype)
    for t in integer_tensors(graph, floats):
        groups.of[t] = Group([t], ranges[t])
    tied: list[Node] = []
    for node in graph.nodes:
        if node not in floats and rule(node) is ScaleRule.FIXED:
            groups.of[node.output].fixed = node.op.fixed_quant(dtype)
        elif node not in floats and rule(node) is ScaleRule.TIED:
            tied.append(node)
    rescaled: set[tuple[Node, int]] = set()
    for node in sorted(tied, key=lambda n: len(n.activations()) > 1):
        rescaled |= tie(groups, node)
    return Plan({t: g.params(dtype) for t, g in groups.of.items()}, frozenset(rescaled), frozenset(floats))


def float_nodes(graph: Graph) -> set[Node]:
    """Operators without an integer form, and those that only move values between such operators."""
    floats = {n for n in graph.nodes if rule(n) is ScaleRule.FLOAT}
    real = {t for n in floats for t in n.outputs}
    for node in graph.nodes:
        if rule(node) is ScaleRule.TIED and node.activations() and all(t in real for t in node.activations()):
            floats.add(node)
            real.update(node.outputs)
    for node in reversed(graph.nodes):
        readers = [r for t in node.outputs for r in graph.readers(t)]
        moves_input = rule(node) is ScaleRule.TIED and all(t in real or t in graph.inputs for t in node.activations())
        if moves_input and readers and all(r in floats for r in readers):
            floats.add(node)
    return floats


def integer_tensors(graph: Graph, floats: set[Node]) -> list[Tensor]:
    """Activations that some integer node reads or writes."""
    touched = {t for n in graph.nodes if n not in floats for t in [*n.activations(), *n.outputs]}
    return [t for t in graph.activations() if t in touched]


def tie(groups: Groups, node: Node) -> set[tuple[Node, int]]:
    """Give the node's activations one group; the inputs that cannot join are returned to be rescaled."""
    first, *others = node.outputs
    for t in others:
        groups.merge(first, t)
    inputs = [(i, t) for i, t in enumerate(node.inputs) if t.const is None]
    if len(inputs) == 1:
        ((index, only),) = inputs
        fixed = groups.of[only].fixed
        if fixed and not groups.of[first].range.fits(fixed):
            return {(node, index)}  # beside a constant, or in a border, beyond the meaning's range
        groups.merge(only, first)
        return set()
    union = groups.of[first].range
    for _, t in inputs:
        union = union.union(groups.of[t].range)
    rescaled: set[tuple[Node, int]] = set()
    for i, t in inputs:
        if t is first or cannot_join(groups, t, node, union):
            rescaled.add((node, i))
        else:
            groups.merge(first, t)
    return rescaled


def cannot_join(groups: Groups, tensor: Tensor, node: Node, union: Range) -> bool:
    group = groups.of[tensor]
    if group.fixed:
        return True
    inner = set(group.members)
    others = [r for t in group.members for r in groups.graph.readers(t) if r is not node]
    has_reader = any(not inner.issuperset(r.outputs) for r in others)
    return has_reader and union.params(groups.dtype).scale > SUFFERS * group.params(groups.dtype).scale
