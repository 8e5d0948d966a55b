"""Which channels (entries of the last axis) an operator carries from one tensor to another: they go together."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import numpy as np

from ...ir import Array, Node, Tensor
from ...ops.average_pool import AveragePool
from ...ops.binary import Binary
from ...ops.clamp import Clamp
from ...ops.concat import Concat
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ...ops.dequantize import Dequantize
from ...ops.max_pool import MaxPool
from ...ops.pad import Pad
from ...ops.prelu import PRelu
from ...ops.quantize import Quantize
from ...ops.reduce_mean import ReduceMean
from ...ops.reshape import Reshape
from ...ops.resize import Resize
from ...ops.slice import Slice
from ...ops.split import Split
from ...ops.transpose import Transpose
from ...ops.unary import Unary

PER_CHANNEL = (AveragePool, Clamp, Dequantize, MaxPool, PRelu, Quantize, Resize, Unary)


@dataclass(frozen=True, eq=False)
class Link:
    """Channel of_first[i] of `first` and channel of_second[i] of `second` stay or go together."""

    first: Tensor
    of_first: Array
    second: Tensor
    of_second: Array


def mixes(node: Node) -> bool:
    """Whether each output channel is a sum over all input channels."""
    return isinstance(node.op, Dense) or (isinstance(node.op, Conv2d) and node.op.groups == 1)


def links_of(node: Node) -> list[Link] | None:
    """The node's links, for one that does not mix; None where every channel on both sides must stay."""
    if not all(t.shape for t in [*node.inputs, *node.outputs]):
        return None
    x, y, op = node.inputs[0], node.outputs[0], node.op
    match op:
        case DepthwiseConv2d():
            return [Link(x, np.arange(y.shape[-1]) // (y.shape[-1] // x.shape[-1]), y, np.arange(y.shape[-1]))]
        case Conv2d():
            return grouped(x, y, op.groups)
        case Reshape():
            both = np.arange(lcm(x.shape[-1], y.shape[-1]))  # the channels of one element, in either shape
            return [Link(x, both % x.shape[-1], y, both % y.shape[-1])]
        case Concat() | Split():
            return joined(node, op.axis)
        case Binary():
            return [same(t, y) for t in node.activations()] if broadcasts_no_channel(node) else None
        case Pad():
            return [Link(x, np.arange(x.shape[-1]), y, op.begins[-1] + np.arange(x.shape[-1]))]
        case Slice() if op.steps[-1] == 1:
            return [Link(x, op.starts[-1] + np.arange(y.shape[-1]), y, np.arange(y.shape[-1]))]
    return [same(x, y)] if keeps_channels(node) else None


def same(x: Tensor, y: Tensor) -> Link:
    every = np.arange(y.shape[-1])
    return Link(x, every, y, every)


def grouped(x: Tensor, y: Tensor, groups: int) -> list[Link]:
    """A group of channels stays or goes as a whole: through its first input and its first output."""
    inputs, outputs = np.arange(x.shape[-1]), np.arange(y.shape[-1])
    per_input, per_output = len(inputs) // groups, len(outputs) // groups
    return [
        Link(x, inputs, y, inputs // per_input * per_output),
        Link(x, outputs // per_output * per_input, y, outputs),
    ]


def joined(node: Node, axis: int) -> list[Link] | None:
    """Of a Concat's inputs or a Split's outputs with the one tensor on the other side."""
    is_concat = isinstance(node.op, Concat)
    whole, parts = (node.output, node.inputs) if is_concat else (node.inputs[0], node.outputs)
    if any(t.const is not None for t in parts):
        return None
    if axis != len(whole.shape) - 1:
        return [same(t, whole) for t in parts]
    starts = np.cumsum([0, *(t.shape[-1] for t in parts)])
    channels = [np.arange(t.shape[-1]) for t in parts]
    return [Link(t, c, whole, s + c) for t, c, s in zip(parts, channels, starts, strict=False)]


def broadcasts_no_channel(node: Node) -> bool:
    return all(t.shape[-1] == node.output.shape[-1] for t in node.activations())


def keeps_channels(node: Node) -> bool:
    """Whether output channel c is made of input channel c alone."""
    op, last = node.op, len(node.inputs[0].shape) - 1
    match op:
        case ReduceMean():
            return last not in op.axes
        case Transpose():
            return op.perm[last] == last
    return isinstance(op, PER_CHANNEL)
