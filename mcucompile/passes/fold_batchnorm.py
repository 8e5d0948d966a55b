"""Put a factor and an offset per channel into the weights and bias of the layer before or after them.

    %y = conv2d(%x, %w, %b); %z = affine(%y, %f, %o)   -->   %z = conv2d(%x, %w * %f, %b * %f + %o)
    %y = affine(%x, %f, %o); %z = dense(%y, %w, %b)    -->   %z = dense(%x, %w * %f, %b + %w @ %o)
    %y = affine(%x, %f, %o), elsewhere                 -->   %y = depthwise_conv2d<1x1>(%x, %f, %o)

Mul, Add and Sub with a constant per channel after a layer fold in the same way. Folding into the layer after is exact
only where that layer does not pad: its zeros would have to become the offset. Real numbers are rounded anew, so the
bits of a float network change in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..ir import NO_CLIP, Array, Graph, Node, Shape, Tensor, constant
from ..ops.add import Add
from ..ops.affine import Affine
from ..ops.depthwise_conv2d import DepthwiseConv2d
from ..ops.mul import Mul
from ..ops.reshape import Reshape
from ..ops.sub import Sub
from ..ops.weighted import Weighted
from ..ops.window import Window
from .base import Pass


class Scaling(NamedTuple):
    """y[..., c] = x[..., c] * factor[c] + offset[c], in float64."""

    x: Tensor
    factor: Array
    offset: Array


@dataclass(frozen=True)
class FoldBatchnorm(Pass):
    exact = False

    def run(self, graph: Graph) -> int:
        changes = 0
        for node in list(graph.nodes):
            scaling = scaling_of(node)
            if scaling and fold(graph, node, scaling):
                changes += 1
        return changes


def fold(graph: Graph, node: Node, scaling: Scaling) -> bool:
    if fold_into_producer(graph, node, scaling) or fold_into_readers(graph, node, scaling):
        return True
    if isinstance(node.op, Affine):
        become_depthwise(graph, node, scaling)
        return True
    return False


def scaling_of(node: Node) -> Scaling | None:
    """What the node does to each channel, where it is a float factor and offset and nothing else."""
    if any(t.quant or t.dtype.is_integer for t in [*node.inputs, *node.outputs]):
        return None
    if isinstance(node.op, Affine):
        x, factor, offset = node.inputs
        assert factor.const is not None and offset.const is not None
        return Scaling(x, factor.const.astype(np.float64), offset.const.astype(np.float64))
    return binary_scaling(node)


def binary_scaling(node: Node) -> Scaling | None:
    if not isinstance(node.op, (Mul, Add, Sub)) or node.op.clip != NO_CLIP:
        return None
    a, b = node.inputs
    if a.const is not None and b.const is None and not isinstance(node.op, Sub):
        a, b = b, a
    values = per_channel(b, node.output.shape)
    if a.const is not None or a.shape != node.output.shape or values is None:
        return None
    if isinstance(node.op, Mul):
        return Scaling(a, values, np.zeros_like(values))
    return Scaling(a, np.ones_like(values), -values if isinstance(node.op, Sub) else values)


def per_channel(tensor: Tensor, shape: Shape) -> Array | None:
    """The constant as one value for each entry of the last axis of `shape`, or None."""
    if tensor.const is None or tensor.size not in (1, tensor.shape[-1] if tensor.shape else 1):
        return None
    return np.broadcast_to(tensor.const.astype(np.float64).ravel(), shape[-1:]).copy()


def fold_into_producer(graph: Graph, node: Node, scaling: Scaling) -> bool:
    layer = graph.producer(scaling.x)
    op = float_layer(layer) if layer else None
    if layer is None or op is None or op.clip != NO_CLIP or graph.only_reader(scaling.x) is not node:
        return False
    x, w, b = layer.inputs
    assert w.const is not None and b.const is not None
    weight = renewed(graph, w, w.const * op.along_outputs(w.shape, scaling.factor))
    bias = renewed(graph, b, b.const * scaling.factor + scaling.offset)
    layer.inputs = [x, weight, bias]
    layer.outputs = list(node.outputs)
    layer.source = (*layer.source, *node.source)
    graph.remove(node)
    return True


def fold_into_readers(graph: Graph, node: Node, scaling: Scaling) -> bool:
    readers = graph.readers(node.output)
    if not readers or node.output in graph.outputs or not all(takes_scaling(r, node.output) for r in readers):
        return False
    for reader in readers:
        op, (_, w, b) = reader.op, reader.inputs
        assert isinstance(op, Weighted)
        assert w.const is not None and b.const is not None
        factor, offset = (op.per_input(w.shape, v) for v in (scaling.factor, scaling.offset))
        weight = renewed(graph, w, w.const * factor)
        bias = renewed(graph, b, b.const + (w.const * offset).sum(axis=op.other_axes(w.shape)))
        reader.inputs = [scaling.x, weight, bias]
        reader.source = (*node.source, *reader.source)
    graph.remove(node)
    return True


def takes_scaling(reader: Node, tensor: Tensor) -> bool:
    """Whether the reader is a float layer over the tensor that pads nothing."""
    op = float_layer(reader)
    return op is not None and reader.inputs[0] is tensor and not op.pads


def float_layer(node: Node) -> Weighted | None:
    """The operator of a layer of real numbers."""
    is_float = all(not t.dtype.is_integer for t in [*node.inputs, *node.outputs])
    return node.op if isinstance(node.op, Weighted) and is_float else None


def renewed(graph: Graph, old: Tensor, values: Array) -> Tensor:
    """A float constant in the place of `old`; other readers keep theirs."""
    name = old.name if len(graph.readers(old)) == 1 else graph.fresh_name(old.name)
    return constant(name, values.astype(np.float32))


def become_depthwise(graph: Graph, node: Node, scaling: Scaling) -> None:
    """A convolution of one tap per channel; a tensor of other than four axes is reshaped for it."""
    x, y, channels = scaling.x, node.output, scaling.factor.size
    image = x.shape if len(x.shape) == 4 else (1, 1, x.size // channels, channels)
    source = x if x.shape == image else reshaped(graph, node, x, image)
    target = y if y.shape == image else Tensor(graph.fresh_name(f"{y.name}_image"), image)
    weight = constant(node.inputs[1].name, scaling.factor.astype(np.float32).reshape(1, 1, channels))
    bias = constant(node.inputs[2].name, scaling.offset.astype(np.float32))
    layer = Node(DepthwiseConv2d(Window((1, 1))), [source, weight, bias], [target], node.source)
    graph.insert_before(node, layer)
    if target is not y:
        graph.insert_before(node, Node(Reshape(y.shape), [target], [y], node.source))
    graph.remove(node)


def reshaped(graph: Graph, before: Node, tensor: Tensor, shape: Shape) -> Tensor:
    result = Tensor(graph.fresh_name(f"{tensor.name}_image"), shape)
    graph.insert_before(before, Node(Reshape(shape), [tensor], [result], before.source))
    return result
