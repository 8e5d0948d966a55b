"""Remove the transpositions that ONNX's channels-first order brings along.

A Transpose moves down, towards the outputs, through every operator that can also work on the other order, until it
meets its inverse, or a Reshape and a Dense whose constant weights take the order over, or the end of the graph:

    %a = transpose<(0,3,1,2)>(%x); %b = clamp(%a); %y = transpose<(0,2,3,1)>(%b)   -->   %y = clamp(%x)
    %a = transpose<(0,3,1,2)>(%x); %f = reshape(%a); %y = dense(%f, %w, %b)        -->   %f = reshape(%x)
                                                                                         %y = dense(%f, %w', %b)
One that moves only axes of size 1 becomes a Reshape, and Reshapes join.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..ir import Array, Graph, Node, Op, Perm, Tensor, composed, inverse, keeps_order
from ..ops.dense import Dense
from ..ops.dequantize import Dequantize
from ..ops.pad import Pad
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose
from .axes import reshaped
from .base import Pass
from .edit import Edit, free_reshape, take_name

REACH = 20  # how many operators in a row are looked through


@dataclass(frozen=True)
class EliminateTransposes(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        before = count(graph)
        edit = Edit(graph)
        every(edit, sink)
        every(edit, rise)
        every(edit, flatten)
        every(edit, join)
        return before - count(graph)


def every(edit: Edit, rewrite: Callable[[Edit, Node], bool]) -> None:
    """Try the rewriting on every node until it fires nowhere."""
    changed = True
    while changed:
        changed = False
        for node in list(edit.graph.nodes):
            changed |= rewrite(edit, node)
        edit.clean()


def count(graph: Graph) -> int:
    return sum(isinstance(n.op, (Transpose, Reshape)) for n in graph.nodes)


def sink(edit: Edit, node: Node) -> bool:
    """Let the transpositions before the node come behind it. Whether anything changed."""
    if isinstance(node.op, Transpose):
        return compose(edit, node)
    if isinstance(node.op, Reshape):
        return join(edit, node) or sink_through_reshape(edit, node) or fold_into_dense(edit, node)
    if node.op.elementwise and sink_reshape(edit, node):
        return True
    for perm in candidates(edit, node):
        change = node.op.moved(perm)
        sources = [source(edit, node, t, perm) for t in node.inputs]
        if change and all(sources):
            edit.swap(node, change.op, [find() for find in sources if find], Transpose(change.perm))
            return True
    return False


def candidates(edit: Edit, node: Node) -> list[Perm]:
    """Transpositions that stand before the node; those that cost something first."""
    makers = [m for t in node.activations() if (m := edit.maker(t)) and isinstance(m.op, Transpose)]
    makers.sort(key=is_free)
    return list(dict.fromkeys(m.op.perm for m in makers if isinstance(m.op, Transpose)))


def is_free(node: Node) -> bool:
    return isinstance(node.op, Transpose) and keeps_order(node.op.perm, node.inputs[0].shape)


def compose(edit: Edit, node: Node) -> bool:
    """transpose(transpose(x)) -> transpose(x), and nothing for the identity."""
    assert isinstance(node.op, Transpose)
    before = edit.maker(node.inputs[0])
    if before and isinstance(before.op, Transpose):
        edit.rewire(node, Transpose(composed(before.op.perm, node.op.perm)), before.inputs)
        return True
    if node.op.perm == tuple(range(len(node.op.perm))):
        return edit.bypass(node)
    return False


def sink_through_reshape(edit: Edit, node: Node) -> bool:
    assert isinstance(node.op, Reshape)
    before = edit.maker(node.inputs[0])
    if not before or not isinstance(before.op, Transpose):
        return False
    found = reshaped(before.op.perm, before.inputs[0].shape, node.op.shape)
    if found is None:
        return False
    shape, perm = found
    edit.swap(node, Reshape(shape), before.inputs, Transpose(perm))
    return True


def sink_reshape(edit: Edit, node: Node) -> bool:
    """clamp(reshape(x)) -> reshape(clamp(x)), so that Reshapes meet and join."""
    before = edit.maker(node.inputs[0])
    if not before or not isinstance(before.op, Reshape):
        return False
    edit.swap(node, node.op, before.inputs, before.op)
    return True


def fold_into_dense(edit: Edit, node: Node) -> bool:
    """Flatten an untransposed tensor where every reader is a Dense whose weights can be reordered instead."""
    before = edit.maker(node.inputs[0])
    if not before or not isinstance(before.op, Transpose):
        return False
    order = column_order(before.inputs[0], before.op.perm, node.output)
    layers = dense_readers(edit.graph, node.output)
    if order is None or not layers:
        return False
    for layer in layers:
        weight = layer.inputs[1]
        assert weight.const is not None
        columns = np.ascontiguousarray(weight.const[:, np.argsort(order)])
        layer.inputs[1] = replace(weight, name=edit.name(weight.name), const=columns)
    edit.rewire(node, node.op, before.inputs)
    return True


def column_order(x: Tensor, perm: Perm, flat: Tensor) -> Array | None:
    """Where in a row of the flattened x the entries of the flattened transposed x come from; None if rows mix."""
    width = flat.shape[-1]
    index = np.arange(x.size).reshape(x.shape).transpose(perm).reshape(-1, width)
    rows = index - width * np.arange(len(index))[:, None]
    return rows[0] if (rows == rows[0]).all() and sorted(rows[0]) == list(range(width)) else None


def dense_readers(graph: Graph, tensor: Tensor, reach: int = REACH) -> list[Node]:
    """The Dense layers that read the tensor, directly or element by element changed; none if anything else does."""
    if tensor in graph.outputs or reach == 0:
        return []
    layers: list[Node] = []
    for reader in graph.readers(tensor):
        if isinstance(reader.op, Dense) and reader.inputs[0] is tensor and reader.inputs[1].const is not None:
            layers.append(reader)
        elif reader.op.elementwise:
            further = dense_readers(graph, reader.output, reach - 1)
            if not further:
                return []
            layers += further
        else:
            return []
    return layers


def source(edit: Edit, node: Node, x: Tensor, perm: Perm) -> Callable[[], Tensor] | None:
    """How to get the tensor whose transposition by `perm` is x, if that costs nothing."""
    if x.const is not None:
        return lambda: edit.permute(x, inverse(perm)) if node.op.constants_move else x
    maker, back = edit.maker(x), Transpose(inverse(perm))
    if maker and maker.op == Transpose(perm):
        return lambda: maker.inputs[0]
    if keeps_order(back.perm, x.shape):
        return lambda: edit.before(node, free_reshape(x, back.perm), x)
    other = next((n for n in before(edit.graph, node) if n.op == back and n.inputs[0] is x), None)
    if other and all(ends_in(edit.graph, y, back) for y in node.outputs):
        return lambda: other.output
    return None


def before(graph: Graph, node: Node) -> list[Node]:
    return graph.nodes[: graph.nodes.index(node)]


def ends_in(graph: Graph, tensor: Tensor, op: Transpose, reach: int = REACH) -> bool:
    """Whether everybody who reads the tensor, directly or element by element changed, transposes it like that."""
    readers = graph.readers(tensor)
    return reach > 0 and bool(readers) and tensor not in graph.outputs and all(
        r.op == op or (r.op.elementwise and ends_in(graph, r.output, op, reach - 1)) for r in readers
    )  # fmt: skip


def rise(edit: Edit, node: Node) -> bool:
    """transpose(pad(x)) -> pad(transpose(x)), and the same of a dequantize: fewer bytes to move.

    The padding then stands beside its convolution, and the Dequantize at the end of the graph, where it can go.
    """
    if not isinstance(node.op, Transpose | Reshape) or edit.graph.only_reader(node.inputs[0]) is not node:
        return False
    maker = edit.maker(node.inputs[0])
    op = risen(maker.op, node.op) if maker else None
    if not maker or not op:
        return False
    maker.inputs = [edit.before(maker, node.op, maker.inputs[0])]
    old, maker.op, maker.outputs = maker.output, op, node.outputs
    edit.makers[node.output] = maker
    edit.graph.remove(node)
    take_name(node.output, old.name, set())
    return True


def risen(op: Op, behind: Transpose | Reshape) -> Op | None:
    """The operator that comes after `behind` instead of before."""
    if isinstance(op, Dequantize):
        return op
    change = op.moved(inverse(behind.perm)) if isinstance(op, Pad) and isinstance(behind, Transpose) else None
    return change.op if change else None


def flatten(edit: Edit, node: Node) -> bool:
    """A Transpose that leaves memory as it is becomes a Reshape."""
    if not is_free(node):
        return False
    node.op = Reshape(node.output.shape)
    return True


def join(edit: Edit, node: Node) -> bool:
    """reshape(reshape(x)) -> reshape(x), and nothing where the shape stays."""
    if not isinstance(node.op, Reshape):
        return False
    before = edit.maker(node.inputs[0])
    if before and isinstance(before.op, Reshape):
        edit.rewire(node, node.op, before.inputs)
        return True
    return node.inputs[0].shape == node.output.shape and edit.bypass(node)
