"""Make constants real that a model file stores as integers, where the network computes on real numbers.

    %y: float32 = conv2d(%x: float32, %w: int8, %b: int32)   -->   %y = conv2d(%x, %w: float32 on a grid, %b: float32)

Weights of int8 keep their integers as a promise, the grid, so that quantizing the network gives those very ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import DType, Graph, Node, QuantParams, Tensor, constant, real_values
from ..ops.weighted import Weighted
from .base import Pass
from .quantized_layer import symmetric


@dataclass(frozen=True)
class DequantizeConstants(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        made: dict[tuple[Tensor, QuantParams | None], Tensor] = {}
        nodes = [n for n in graph.nodes if is_real(n)]
        places = [(n, i) for n in nodes for i, t in enumerate(n.inputs) if t.const is not None and t.quant]
        for node, index in places:
            old = node.inputs[index]
            grid = weight_grid(node) if index == 1 and isinstance(node.op, Weighted) else None
            if (old, grid) not in made:
                is_last = all(r in nodes for r in graph.readers(old)) and all(t is not old for t, _ in made)
                name = old.name if is_last else graph.fresh_name(old.name)
                made[old, grid] = replace(constant(name, real_values(old)), grid=grid)
            node.inputs[index] = made[old, grid]
        return len(places)


def is_real(node: Node) -> bool:
    return not any(t.dtype.is_integer for t in [*node.activations(), *node.outputs])


def weight_grid(node: Node) -> QuantParams | None:
    """A scale per output channel of the layer's int8 weights; None where they are finer, or scaled along other axes."""
    op, weight = node.op, node.inputs[1]
    assert isinstance(op, Weighted) and weight.quant
    if weight.quant.axis not in (None, op.weight_axis) or not weight.dtype.is_integer:
        return None
    quant = symmetric(weight).quant
    if quant is None or quant.dtype is not DType.I8:
        return None
    scales = np.broadcast_to(np.asarray(quant.scales), (weight.shape[op.weight_axis],))
    return QuantParams(tuple(float(s) for s in scales), 0, DType.I8, op.weight_axis)
