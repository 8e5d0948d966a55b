"""Which tensors hold -1 and +1 only, and which weights have one magnitude per output channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Array, Graph, Node, QuantParams, Tensor, real_values
from ..ops.binary_conv2d import BinaryConv2d
from ..ops.concat import Concat
from ..ops.conv2d import Conv2d
from ..ops.dense import Dense
from ..ops.dequantize import Dequantize
from ..ops.max_pool import MaxPool
from ..ops.pad import Pad
from ..ops.quantize import Quantize
from ..ops.reshape import Reshape
from ..ops.sign import Sign
from ..ops.slice import Slice
from ..ops.transpose import Transpose
from ..ops.window import Window
from .fold_batchnorm import scaling_of

MOVERS = (Concat, Reshape, Slice, Transpose)


@dataclass(frozen=True, eq=False)
class Signs:
    """A tensor's values are `magnitude` times those of `tensor`, which are -1 and +1. The magnitude may be negative."""

    tensor: Tensor
    magnitude: float


def signs_in(graph: Graph, tensor: Tensor) -> Signs | None:
    """Where the tensor is such signs; a factor for all channels behind them is told apart."""
    maker = graph.producer(tensor)
    if maker is None:
        return None
    if is_signs(graph, maker):
        return Signs(tensor, 1.0)
    scaling = scaling_of(maker)
    if scaling and not scaling.offset.any() and np.ptp(scaling.factor) == 0 and scaling.factor[0] != 0:
        inner = signs_in(graph, scaling.x)
        return Signs(inner.tensor, inner.magnitude * float(scaling.factor[0])) if inner else None
    return None


def is_signs(graph: Graph, maker: Node) -> bool:
    """Whether what the node computes is -1 or +1 everywhere."""
    match maker.op:
        case Sign():
            return maker.op.at_zero != 0 and keeps_signs(maker.output.quant)
        case BinaryConv2d():
            return maker.op.thresholds is not None and keeps_signs(maker.output.quant)
        case Quantize() | Dequantize():
            stored = maker.output if isinstance(maker.op, Quantize) else maker.inputs[0]
            return keeps_signs(stored.quant) and all_signs(graph, maker)
        case Pad():
            return abs(maker.op.value) == 1.0 and all_signs(graph, maker)
        case MaxPool():
            return maker.op.clip == NO_CLIP and all_signs(graph, maker)
    return isinstance(maker.op, MOVERS) and all_signs(graph, maker)


def all_signs(graph: Graph, node: Node) -> bool:
    makers = [graph.producer(t) for t in node.inputs]
    return all(m is not None and is_signs(graph, m) for m in makers)


def keeps_signs(quant: QuantParams | None) -> bool:
    """Whether -1 and +1 are stored alike on both sides of the zero point, and mean the same again."""
    if quant is None:
        return True
    units = quant.integer(1.0) - quant.zero
    return units == quant.zero - quant.integer(-1.0) and quant.scale * units == 1.0


def magnitudes(node: Node) -> Array | None:
    """Per output channel of a layer the one magnitude that all its weights have; None where they have several.

    Real values, or stored ones where the layer computes on integers.
    """
    if not isinstance(node.op, Conv2d | Dense) or node.inputs[1].const is None:
        return None
    weight = node.inputs[1]
    assert weight.const is not None
    values = weight.const if any(t.dtype.is_integer for t in node.activations()) else real_values(weight)
    sizes = np.abs(values.astype(np.float64)).reshape(weight.shape[0], -1)
    return sizes[:, 0] if sizes.size and np.all(sizes == sizes[:, :1]) else None


def padded_input(graph: Graph, layer: Node) -> tuple[Tensor, Window, float]:
    """What the layer reads inside its padding, its window with a Pad before it taken in, and the padding's value."""
    x, op = layer.inputs[0], layer.op
    if not isinstance(op, Conv2d):
        return x, Window((1, 1)), 0.0
    pad = graph.producer(x)
    if not pad or not isinstance(pad.op, Pad) or any(op.window.pads):
        return x, op.window, 0.0
    begins, ends = pad.op.begins, pad.op.ends
    if begins[0] or begins[3] or ends[0] or ends[3]:
        return x, op.window, 0.0
    return pad.inputs[0], replace(op.window, pads=(begins[1], begins[2], ends[1], ends[2])), pad.op.value
