"""Tensors that need no buffer of their own, since they are a contiguous part of another one.

A Reshape is its input; a Slice or a part of a Split may lie inside its input; the inputs of a Concat may be computed
right where the result has them. No code runs for such a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ..ir import Graph, Node, Shape, Tensor
from ..ops.concat import Concat
from ..ops.reshape import Reshape
from ..ops.slice import Slice
from ..ops.split import Split

ALIGNMENT = 4  # of every buffer and every view; vector kernels load bytes, the others words


@dataclass(frozen=True)
class View:
    """A tensor's bytes: those from `offset` on of the buffer that is named after `root`."""

    root: Tensor
    offset: int = 0


class Views:
    """Where every activation of a graph lives, and which nodes are computed by that alone."""

    def __init__(self, graph: Graph) -> None:
        self._parents: dict[Tensor, View] = {}
        self._inputs, self._outputs = frozenset(graph.inputs), frozenset(graph.outputs)
        self._free = frozenset(n.outputs[0] for n in graph.nodes if self._take(n))

    def __getitem__(self, tensor: Tensor) -> View:
        view = View(tensor)
        while view.root in self._parents:
            parent = self._parents[view.root]
            view = View(parent.root, view.offset + parent.offset)
        return view

    def is_free(self, node: Node) -> bool:
        """Whether nothing has to be executed for the node."""
        return node.outputs[0] in self._free

    def _take(self, node: Node) -> bool:
        """Makes views of a node's tensors, if it can be done with by that."""
        if isinstance(node.op, Reshape):
            self._parents[node.output] = View(node.inputs[0])
            return True
        if isinstance(node.op, Slice):
            starts, sizes = node.op.starts, node.op.sizes
            return max(node.op.steps) == min(node.op.steps) == 1 and self._take_parts(node, [starts], [sizes])
        if isinstance(node.op, Split):
            shapes = [t.shape for t in node.outputs]
            return self._take_parts(node, starts_along(node.op.axis, shapes), shapes)
        return isinstance(node.op, Concat) and self._take_concat(node, node.op.axis)

    def _take_parts(self, node: Node, starts: Sequence[Shape], sizes: Sequence[Shape]) -> bool:
        """Outputs that are parts of the first input. Graph outputs are copied: they may have to outlive their root."""
        (x,) = node.inputs
        offsets = [part_offset(x, start, size) for start, size in zip(starts, sizes, strict=True)]
        if None in offsets or not self._outputs.isdisjoint(node.outputs):
            return False
        self._parents |= {t: View(x, at) for t, at in zip(node.outputs, offsets, strict=True) if at is not None}
        return True

    def _take_concat(self, node: Node, axis: int) -> bool:
        """Inputs that are computed where the output has them."""
        roots = [self[t] for t in node.inputs]
        offsets = [
            part_offset(node.output, start, t.shape)
            for start, t in zip(starts_along(axis, [t.shape for t in node.inputs]), node.inputs, strict=True)
        ]
        if None in offsets or len({v.root for v in roots}) < len(roots):
            return False
        if not all(self._can_move(v, t) for v, t in zip(roots, node.inputs, strict=True)):
            return False
        self._parents |= {v.root: View(node.output, at) for v, at in zip(roots, offsets, strict=True) if at is not None}
        return True

    def _can_move(self, view: View, tensor: Tensor) -> bool:
        """Whether the whole buffer of a tensor can become a part of another one."""
        fixed = view.root in self._inputs or view.root in self._outputs or tensor in self._outputs
        return tensor.const is None and not fixed and view.offset == 0 and view.root.nbytes == tensor.nbytes


def starts_along(axis: int, shapes: Sequence[Shape]) -> list[Shape]:
    """Where each of the parts begins that lie one after the other along an axis."""
    before = [sum(s[axis] for s in shapes[:k]) for k in range(len(shapes))]
    return [tuple(at if i == axis else 0 for i in range(len(shapes[0]))) for at in before]


def part_offset(whole: Tensor, starts: Shape, sizes: Shape) -> int | None:
    """Bytes to a part's first element, if its elements are contiguous and it may begin there."""
    partial = [i for i, (n, d) in enumerate(zip(sizes, whole.shape, strict=True)) if n != d]
    if partial and any(n != 1 for n in sizes[: max(partial)]):
        return None
    strides = [prod(whole.shape[i + 1 :]) for i in range(len(sizes))]
    offset = whole.dtype.nbytes * sum(at * stride for at, stride in zip(starts, strides, strict=True))
    return offset if offset % ALIGNMENT == 0 else None
