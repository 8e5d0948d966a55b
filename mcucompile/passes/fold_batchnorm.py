"""Put a factor and an offset per channel into the weights and bias of the layer before or after them.

    %y = conv2d(%x, %w, %b); %z = affine(%y, %f, %o)   -->   %z = conv2d(%x, %w * %f, %b * %f + %o)
    %y = affine(%x, %f, %o); %z = dense(%y, %w, %b)    -->   %z = dense(%x, %w * %f, %b + %w @ %o)
    %y = affine(%x, %f, %o), elsewhere                 -->   %y = depthwise_conv2d<1x1>(%x, %f, %o)

Mul, Add and Sub with a constant per channel after a layer fold in the same way. Folding into the layer after is exact
only where that layer does not pad, or where there is no offset: its zeros would have to become the offset. Real numbers
are rounded anew, so the bits of a float network change in the last place. Weights that a model file stores as integers
keep them, up to their sign: the factors become part of the scales. What follows a Dequantize elsewhere gets integer
weights for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..ir import NO_CLIP, Array, DType, Graph, Node, QuantParams, Shape, Tensor, constant, real_values
from ..ops.add import Add
from ..ops.affine import Affine
from ..ops.depthwise_conv2d import DepthwiseConv2d
from ..ops.dequantize import Dequantize
from ..ops.mul import Mul
from ..ops.reshape import Reshape
from ..ops.sub import Sub
from ..ops.weighted import Weighted
from ..ops.window import Window
from .base import Pass
from .quantized_layer import SMALLEST, narrowest

LARGEST_WEIGHT = 127


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
    op = real_layer(layer) if layer else None
    if layer is None or op is None or op.clip != NO_CLIP or graph.only_reader(scaling.x) is not node:
        return False
    x, w, b = layer.inputs
    weight = scaled_weight(graph, op, w, scaling.factor)
    if weight is None:
        return False
    bias = renewed(graph, b, real_values(b) * scaling.factor + scaling.offset)
    layer.inputs = [x, weight, bias]
    layer.outputs = list(node.outputs)
    layer.source = (*layer.source, *node.source)
    graph.remove(node)
    return True


def scaled_weight(graph: Graph, op: Weighted, weight: Tensor, factor: Array) -> Tensor | None:
    """The weights times a factor per output channel; None where their scales run along another axis."""
    assert weight.const is not None
    if weight.quant is None:
        return renewed(graph, weight, weight.const * op.along_outputs(weight.shape, factor))
    if weight.quant.axis not in (None, op.weight_axis):
        return None
    centred = weight.const.astype(np.int64) - weight.quant.zero
    scales = np.asarray(weight.quant.scales) * np.abs(factor)
    sign = np.where(scales < SMALLEST, 0, np.sign(factor)).astype(np.int64)
    return stored(graph, op, weight, centred * op.along_outputs(weight.shape, sign), scales)


def stored(graph: Graph, op: Weighted, old: Tensor, values: Array, scales: Array) -> Tensor:
    """An integer constant in the place of `old`, with a scale per output channel; one of zeros takes the largest."""
    used = np.where(scales < SMALLEST, max(float(scales.max(initial=0.0)), SMALLEST), scales).astype(np.float32)
    integers = narrowest(values)
    quant = QuantParams(tuple(float(s) for s in used), 0, DType(integers.dtype.name), op.weight_axis)
    return constant(new_name(graph, old), integers, quant)


def fold_into_readers(graph: Graph, node: Node, scaling: Scaling) -> bool:
    readers = graph.readers(node.output)
    if not readers or node.output in graph.outputs or not all(takes_scaling(r, node.output, scaling) for r in readers):
        return False
    for reader in readers:
        op, (_, w, b) = reader.op, reader.inputs
        assert isinstance(op, Weighted)
        offset = op.per_input(w.shape, scaling.offset)
        bias = renewed(graph, b, real_values(b) + (real_values(w) * offset).sum(axis=op.other_axes(w.shape)))
        reader.inputs = [scaling.x, weight_of_scaled(graph, op, w, scaling.factor), bias]
        reader.source = (*node.source, *reader.source)
    graph.remove(node)
    return True


def takes_scaling(reader: Node, tensor: Tensor, scaling: Scaling) -> bool:
    """Whether the reader is a layer over the tensor, with padding only where zero stays zero.

    Integer weights take a factor that all channels share.
    """
    op = real_layer(reader)
    if op is None or reader.inputs[0] is not tensor or (op.pads and np.any(scaling.offset)):
        return False
    return float_layer(reader) is not None or is_one_factor(scaling.factor)


def is_one_factor(factor: Array) -> bool:
    return bool(factor[0] > SMALLEST and np.all(factor == factor[0]))


def weight_of_scaled(graph: Graph, op: Weighted, weight: Tensor, factor: Array) -> Tensor:
    """The weights times a factor per input channel."""
    assert weight.const is not None
    if weight.quant is None:
        return renewed(graph, weight, weight.const * op.per_input(weight.shape, factor))
    scales = np.maximum(np.asarray(weight.quant.scales) * factor[0], SMALLEST).astype(np.float32)
    quant = replace(weight.quant, scales=tuple(float(s) for s in scales))
    return constant(new_name(graph, weight), weight.const, quant)


def float_layer(node: Node) -> Weighted | None:
    """The operator of a layer of real numbers."""
    op = real_layer(node)
    return op if op and all(t.quant is None for t in node.inputs) else None


def real_layer(node: Node) -> Weighted | None:
    """The operator of a layer that computes on real numbers; its constants may be quantized."""
    is_real = all(not t.dtype.is_integer for t in [*node.activations(), *node.outputs])
    return node.op if isinstance(node.op, Weighted) and is_real else None


def renewed(graph: Graph, old: Tensor, values: Array) -> Tensor:
    """A float constant in the place of `old`; other readers keep theirs."""
    return constant(new_name(graph, old), values.astype(np.float32))


def new_name(graph: Graph, old: Tensor) -> str:
    return old.name if len(graph.readers(old)) == 1 else graph.fresh_name(old.name)


def become_depthwise(graph: Graph, node: Node, scaling: Scaling) -> None:
    """A convolution of one tap per channel; a tensor of other than four axes is reshaped for it."""
    x, y, channels = scaling.x, node.output, scaling.factor.size
    image = x.shape if len(x.shape) == 4 else (1, 1, x.size // channels, channels)
    weight = taps(graph, node, scaling, isinstance(getattr(graph.producer(x), "op", None), Dequantize))
    source = x if x.shape == image else reshaped(graph, node, x, image)
    target = y if y.shape == image else Tensor(graph.fresh_name(f"{y.name}_image"), image)
    bias = constant(node.inputs[2].name, scaling.offset.astype(np.float32))
    layer = Node(DepthwiseConv2d(Window((1, 1))), [source, weight, bias], [target], node.source)
    graph.insert_before(node, layer)
    if target is not y:
        graph.insert_before(node, Node(Reshape(y.shape), [target], [y], node.source))
    graph.remove(node)


def taps(graph: Graph, node: Node, scaling: Scaling, is_stored: bool) -> Tensor:
    """One weight per channel; the largest integer with all of the factor in its scale, so that the bias is fine."""
    image, old = (1, 1, scaling.factor.size), node.inputs[1]
    if not is_stored:
        return constant(old.name, scaling.factor.astype(np.float32).reshape(image))
    op, scales = DepthwiseConv2d(Window((1, 1))), np.abs(scaling.factor) / LARGEST_WEIGHT
    sign = np.where(scales < SMALLEST, 0, np.sign(scaling.factor))
    return stored(graph, op, old, (LARGEST_WEIGHT * sign).astype(np.int64).reshape(image), scales)


def reshaped(graph: Graph, before: Node, tensor: Tensor, shape: Shape) -> Tensor:
    result = Tensor(graph.fresh_name(f"{tensor.name}_image"), shape)
    graph.insert_before(before, Node(Reshape(shape), [tensor], [result], before.source))
    return result
