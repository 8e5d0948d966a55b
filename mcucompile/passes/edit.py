"""Edits of a graph that several passes share: they keep its names stable and its order right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..ir import Graph, Node, Op, Tensor, permute_constant, permuted
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose

INNER = "inner"  # tensors between two operators of one ONNX node; they give up this name for that of a removed one
PROVISIONAL = re.compile(rf"_{INNER}(_\d+)?\Z")


class Edit:
    """A graph under change. Nodes that lose their readers stay until `clean`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = {t.name for t in [*graph.activations(), *graph.constants()]}
        self.makers = {t: n for n in graph.nodes for t in n.outputs}
        self.permuted: dict[tuple[Tensor, tuple[int, ...]], Tensor] = {}

    def maker(self, tensor: Tensor) -> Node | None:
        """The node that computes the tensor."""
        return self.makers.get(tensor)

    def name(self, base: str) -> str:
        stem, count = PROVISIONAL.sub("", base), 0
        name = f"{stem}_{INNER}"
        while name in self.names:
            count += 1
            name = f"{stem}_{INNER}_{count}"
        self.names.add(name)
        return name

    def before(self, anchor: Node, op: Op, x: Tensor) -> Tensor:
        """A new node with one input, before another; its output."""
        (shape,) = op.infer(x.shape)
        y = Tensor(self.name(x.name), shape, x.dtype, x.quant)
        node = Node(op, [x], [y], anchor.source)
        self.graph.insert_before(anchor, node)
        self.makers[y] = node
        return y

    def swap(self, node: Node, op: Op, inputs: Sequence[Tensor], behind: Op) -> None:
        """y = node(...) -> y = behind(op(inputs)), for each output y."""
        node.op, node.inputs = op, list(inputs)
        shapes = op.infer(*(t.shape for t in inputs))
        outputs = [Tensor(self.name(y.name), s, y.dtype, y.quant) for y, s in zip(node.outputs, shapes, strict=True)]
        for y, new in reversed(list(zip(node.outputs, outputs, strict=True))):
            after = Node(behind, [new], [y], node.source)
            self.graph.insert_after(node, after)
            self.makers[y], self.makers[new] = after, node
        node.outputs = outputs

    def rewire(self, node: Node, op: Op, inputs: Sequence[Tensor]) -> None:
        node.op, node.inputs = op, list(inputs)

    def bypass(self, node: Node) -> bool:
        """Let everybody read the node's input instead; False where the graph's boundary forbids that."""
        (x,), y, graph = node.inputs, node.output, self.graph
        if y in graph.outputs:
            if x in graph.inputs or x in graph.outputs:
                return False
            x.name, y.name = y.name, self.name(x.name)
        graph.replace_uses(y, x)
        return True

    def permute(self, tensor: Tensor, perm: tuple[int, ...]) -> Tensor:
        """A transposed constant; the same one for all who ask."""
        if (tensor, perm) not in self.permuted:
            new = permute_constant(tensor, perm)
            new.name, new.encoding = self.name(tensor.name), tensor.encoding
            self.permuted[tensor, perm] = new
        return self.permuted[tensor, perm]

    def clean(self) -> None:
        """Drop what nobody reads; tensors with a provisional name take that of a removed copy of themselves."""
        nodes = list(self.graph.nodes)
        self.graph.remove_unread()
        kept = set(self.graph.nodes)
        used = {t.name for t in [*self.graph.activations(), *self.graph.constants()]}
        for node in nodes:
            if node in kept or not isinstance(node.op, Transpose | Reshape):
                continue
            take_name(node.inputs[0], node.output.name, used)
        for t in self.graph.constants():
            take_name(t, PROVISIONAL.sub("", t.name), used)


def take_name(tensor: Tensor, name: str, used: set[str]) -> None:
    if PROVISIONAL.search(tensor.name) and not PROVISIONAL.search(name) and name not in used:
        used.add(name)
        tensor.name = name


def free_reshape(x: Tensor, perm: tuple[int, ...]) -> Reshape:
    """A transposition that leaves memory as it is, as what it is."""
    return Reshape(permuted(x.shape, perm))
