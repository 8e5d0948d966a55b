"""Residual blocks: where they begin and end, and what can stand in for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....ir import Graph, Node, Tensor, constant
from ....ops.add import Add
from ....ops.clamp import Clamp
from ....ops.conv2d import Conv2d
from ....ops.window import Window
from ...calibrate import Samples, runner
from ...fuse_clip import clip_of
from ..hessian import enough_samples
from .evidence import Reals
from .regression import Regression

By = Literal["auto", "identity", "pointwise"]
SHARE = 1e-4  # of the mean variance of the inputs, added to each


@dataclass(frozen=True, eq=False)
class Block:
    """Everything between `entry` and the Add `end`: nobody else reads what is computed inside."""

    entry: Tensor
    inside: tuple[Node, ...]
    end: Node

    @property
    def strides(self) -> tuple[int, int] | None:
        """Those with which a 1x1 convolution goes from the entry's image to the end's."""
        x, y = self.entry.shape, self.end.output.shape
        if len(x) != 4 or len(y) != 4:
            return None
        steps = tuple(max(1, -(-a // b)) for a, b in zip(x[1:3], y[1:3], strict=True))
        window = Window((1, 1), (steps[0], steps[1]))
        return window.strides if window.output_size(x[1], x[2]) == y[1:3] else None

    def way(self, by: By) -> By | None:
        """How it can be replaced as asked."""
        if by != "pointwise" and self.entry.shape == self.end.output.shape:
            return "identity"
        return "pointwise" if by != "identity" and self.strides else None


def blocks(graph: Graph) -> Iterator[Block]:
    """In order; a block may lie inside another. What nobody needs any more, such as what was inside a block that was
    replaced, neither is a block nor stands in the way of one.
    """
    alive = Graph(graph.name, graph.inputs, graph.outputs, list(graph.nodes))
    alive.remove_unread()
    for node in alive.nodes:
        if isinstance(node.op, Add) and len(node.activations()) == 2:
            found = block_before(alive, node)
            if found:
                yield found


def block_before(graph: Graph, end: Node) -> Block | None:
    """Go back from both operands, always from the tensor that is computed last, until one tensor is left."""
    order = {t: i for i, n in enumerate(graph.nodes) for t in n.outputs}
    open_ends, inside = set(end.inputs), list[Node]()
    while len(open_ends) > 1:
        latest = max(open_ends, key=lambda t: order.get(t, -1))
        maker = graph.producer(latest)
        if maker is None:
            return None
        inside.append(maker)
        open_ends = (open_ends - set(maker.outputs)) | set(maker.activations())
    own = {*inside, end}
    hidden = [t for n in inside for t in n.outputs]
    if not inside or any(t in graph.outputs or not own.issuperset(graph.readers(t)) for t in hidden):
        return None
    return Block(open_ends.pop(), tuple(inside), end)


def replace_block(graph: Graph, block: Block, way: By, samples: Samples) -> None:
    """Let the block's last node compute its result from the block's entry alone; what was inside stays, unread."""
    node, x = block.end, block.entry
    if way == "identity":
        node.op, node.inputs = Clamp(clip_of(node.op)), [x]
        return
    strides = block.strides
    assert strides
    weights, bias = fitted(graph, block, strides, samples)
    rows = weights.astype(np.float32).reshape(len(weights), 1, 1, -1)
    w = constant(graph.fresh_name(f"{node.output.name}_weight"), rows)
    b = constant(graph.fresh_name(f"{node.output.name}_bias"), bias.astype(np.float32))
    node.op, node.inputs = Conv2d(Window((1, 1), strides), clip=clip_of(node.op)), [x, w, b]


def fitted(graph: Graph, block: Block, strides: tuple[int, int], samples: Samples) -> tuple[Reals, Reals]:
    """Weights [outputs, inputs] and bias that come nearest to the sum before its activation."""
    a, b = block.end.inputs
    chosen, parts = enough_samples(graph, samples), []
    for values in runner(graph, chosen).traces(chosen):
        x = values[block.entry][:, :: strides[0], :: strides[1]]
        y = values[a] + values[b]
        parts.append((x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])))
    return Regression.of(parts).solve(np.zeros((a.shape[-1], block.entry.shape[-1])), SHARE)
