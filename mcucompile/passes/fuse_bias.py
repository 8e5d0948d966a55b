"""Make the constant that is added behind a layer the layer's bias.

    %a = dense(%x, %w, 0); %y = add(%a, %c: [1, O])   -->   %y = dense(%x, %w, %c)

Only where the layer has no bias yet, so that no float sum is taken in another order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Graph, Node, Tensor, constant, real_values, reshape_constant
from ..ops.add import Add
from ..ops.weighted import Weighted
from .base import Pass
from .fuse_clip import clip_of, with_clip


@dataclass(frozen=True)
class FuseBias(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return sum([fuse(graph, n) for n in list(graph.nodes) if isinstance(n.op, Add)])


def fuse(graph: Graph, add: Node) -> bool:
    term = next((t for t in add.inputs if t.const is not None), None)
    layer = graph.producer(add.activations()[0]) if term and add.activations() else None
    if not term or not layer or not isinstance(layer.op, Weighted) or not accepts_bias(graph, layer):
        return False
    bias = as_bias(term, layer)
    if bias is None or add.output.shape != layer.output.shape or add.output.dtype.is_integer:
        return False
    layer.inputs[2] = bias
    layer.op = with_clip(layer.op, clip_of(add.op))
    layer.source += tuple(s for s in add.source if s not in layer.source)
    layer.outputs = add.outputs
    graph.remove(add)
    return True


def accepts_bias(graph: Graph, layer: Node) -> bool:
    """Without a bias or an activation of its own, and read by nobody else."""
    bias = layer.inputs[2]
    has_none = bias.const is not None and not np.any(real_values(bias))
    return has_none and clip_of(layer.op) == NO_CLIP and graph.only_reader(layer.output) is not None


def as_bias(term: Tensor, layer: Node) -> Tensor | None:
    """The constant as one value per output channel, under the name of the bias that it replaces; None if it is more."""
    channels, name = layer.output.shape[-1], layer.inputs[2].name
    if term.size == 1:
        return constant(name, np.full(channels, real_values(term).ravel()[0], np.float32))
    if term.shape[-1:] != (channels,) or term.size != channels:
        return None
    if term.quant and term.quant.axis is not None and term.shape[term.quant.axis] != channels:
        return constant(name, real_values(term).reshape(channels).astype(np.float32))
    return replace(reshape_constant(term, (channels,)), name=name)
