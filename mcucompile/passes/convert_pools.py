"""Make a layer of a mean over stored values that is scaled before it is stored again.

    %a = dequantize(%q); %p = average_pool<3x3>(%a); %y = mul(%p, 9)
    -->   %p = depthwise_conv2d<3x3>(%a, %w: 1/9 everywhere, as integers); %y = mul(%p, 9)

FoldBatchnorm then takes what scales it into the layer, and AbsorbQdq makes an integer operator of it. QONNX writes sums
over a window like that before it drops their low bits (Trunc).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import NO_CLIP, Graph, Node, QuantParams, constant
from ..ops.average_pool import AveragePool
from ..ops.depthwise_conv2d import DepthwiseConv2d
from ..ops.dequantize import Dequantize
from .base import Pass
from .fold_batchnorm import scaling_of


@dataclass(frozen=True)
class ConvertPools(Pass):
    """Inexact in that float32 divides a sum otherwise than it multiplies by the inverse."""

    exact = False

    def run(self, graph: Graph) -> int:
        found = [n for n in graph.nodes if is_scaled_mean(graph, n)]
        for node in found:
            become_layer(graph, node)
        return len(found)


def is_scaled_mean(graph: Graph, node: Node) -> bool:
    """Over whole windows of stored values, read only by what scales it."""
    op = node.op
    if not isinstance(op, AveragePool) or op.clip != NO_CLIP or any(op.window.pads) or any(op.uncounted):
        return False
    maker, reader = graph.producer(node.inputs[0]), graph.only_reader(node.output)
    return maker is not None and isinstance(maker.op, Dequantize) and reader is not None and bool(scaling_of(reader))


def become_layer(graph: Graph, node: Node) -> None:
    assert isinstance(node.op, AveragePool)
    (x,), kernel = node.inputs, node.op.window.kernel
    channels = x.shape[-1]
    share = QuantParams((float(np.float32(1 / (kernel[0] * kernel[1]))),) * channels, axis=2)
    name = graph.fresh_name(f"{node.output.name}_weight")
    weight = constant(name, np.ones((*kernel, channels), np.int8), share)
    bias = constant(graph.fresh_name(f"{node.output.name}_bias"), np.zeros(channels, np.float32))
    node.op, node.inputs = DepthwiseConv2d(node.op.window), [x, weight, bias]
