"""A layer as several with fewer output channels, whose weights are unpacked one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...ir import Node, Op, QuantParams, Requant, Tensor
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ..kernel import Tile

LIMITS = (2048, 4096, 8192, 16384, 32768)  # bytes of unpacked weights that are worth a look, beside all of them
GRANULE = 4  # channels: of these or more at a time all kernels make use


def tile_sizes(node: Node) -> tuple[int, ...]:
    """How many output channels at a time are worth a look: all of them first."""
    outputs, weight = node.output.shape[-1], node.inputs[1]
    if not isinstance(node.op, Dense) and not (isinstance(node.op, Conv2d) and node.op.groups == 1):
        return (outputs,)
    per_output = weight.size // outputs
    found = (best_tile(outputs, limit // per_output) for limit in LIMITS)
    return tuple(dict.fromkeys([outputs, *sorted((t for t in found if t), reverse=True)]))


def best_tile(outputs: int, most: int) -> int:
    """Of the sizes up to `most`, from half of it on, one that leaves few channels over; 0 if there is none."""
    most = min(most, outputs - 1)
    sizes = range(most // GRANULE * GRANULE, max(most // 2, GRANULE) - 1, -GRANULE)
    return min(sizes, key=lambda t: -outputs % t, default=0)


def tiles_of(node: Node, size: int, in_place: bool = False) -> Iterator[Node]:
    """The node's output channels, `size` at a time; the last ones may be some of those before. `in_place`: they go to
    where they belong among all channels.
    """
    outputs = node.output.shape[-1]
    if size == outputs:
        yield node
        return
    for first in range(0, outputs, size):
        start = min(first, outputs - size)
        yield tile(node, slice(start, start + size), outputs if in_place else size)


def tile(node: Node, channels: slice, step: int) -> Tile:
    """The layer that computes some of the output channels, with the fixed-point constants that they have in all."""
    x, w, b = node.inputs
    outputs = node.output.shape[-1]
    y = replace(node.output, shape=(*node.output.shape[:-1], channels.stop - channels.start))
    op = with_requant(node.op, channels, outputs)
    return Tile(op, [x, constant_part(w, channels), constant_part(b, channels)], [y], node.source, step)


def constant_part(t: Tensor, channels: slice) -> Tensor:
    """Of a constant with the output channels first."""
    assert t.const is not None
    values = np.ascontiguousarray(t.const[channels])
    return replace(t, shape=values.shape, const=values, quant=quant_part(t.quant, channels))


def quant_part(quant: QuantParams | None, channels: slice) -> QuantParams | None:
    return quant if quant is None or quant.axis is None else replace(quant, scales=quant.scales[channels])


def with_requant(op: Op, channels: slice, outputs: int) -> Op:
    assert isinstance(op, Conv2d | Dense)
    requant = op.requant
    if requant is None or len(requant.shifts) != outputs:
        return op
    return replace(op, requant=Requant(requant.multipliers[channels], requant.shifts[channels], requant.rounding))
