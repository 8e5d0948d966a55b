"""Take channels out of nodes: of their constants, of the fields of their operators, of their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir import Array, Graph, Node, Op, QuantParams, Requant, Shape, Tensor, constant
from ...ops.binary import Binary
from ...ops.conv2d import Conv2d
from ...ops.pad import Pad
from ...ops.prelu import PRelu
from ...ops.reshape import Reshape
from ...ops.slice import Slice
from ...ops.split import Split
from ...ops.weighted import Weighted
from .kept import Reading
from .links import mixes

Masks = Mapping[Tensor, Array]  # per activation, which channels stay
NO_READINGS: Mapping[Node, Reading] = {}


def cut(graph: Graph, masks: Masks, readings: Mapping[Node, Reading] = NO_READINGS) -> None:
    """Remove every channel that is not to stay; what it always added to a sum, says its reading, goes into the bias."""
    for node in graph.nodes:
        if all(masks[t].all() for t in [*node.activations(), *node.outputs]):
            continue
        if isinstance(node.op, Weighted):
            cut_layer(node, node.op, masks, readings.get(node))
        else:
            cut_other(node, masks)
    for t, mask in masks.items():
        if not mask.all():
            t.kept = tuple(np.arange(len(mask))[mask].tolist() if t.kept is None else np.asarray(t.kept)[mask].tolist())
        t.shape = (*t.shape[:-1], int(mask.sum())) if t.shape else ()
    rename_twice_used(graph)


def cut_layer(node: Node, op: Weighted, masks: Masks, reading: Reading | None) -> None:
    x, weights, bias = node.inputs
    inputs, outputs = masks[x], masks[node.output]
    if reading:
        assert bias.const is not None
        gone = np.where(inputs, 0, reading.amounts).sum(axis=1)
        bias = replace(bias, const=(bias.const + gone).astype(bias.const.dtype))
    axes = {op.weight_axis: outputs} | ({len(weights.shape) - 1: inputs} if mixes(node) else {})
    node.inputs = [x, taken(weights, axes), taken(bias, {0: outputs})]
    if op.requant:
        op = replace(op, requant=taken_requant(op.requant, outputs))  # type: ignore[type-var]
    if isinstance(op, Conv2d) and op.groups > 1:
        op = replace(op, groups=op.groups * int(inputs.sum()) // len(inputs))
    node.op = op


def taken(tensor: Tensor, axes: Mapping[int, Array]) -> Tensor:
    """A constant without what the masks leave out along the axes; its scales per channel likewise."""
    values = tensor.const
    assert values is not None
    for axis, mask in axes.items():
        values = np.compress(mask, values, axis)
    quant, grid = (taken_scales(q, axes) for q in (tensor.quant, tensor.grid))
    return replace(constant(tensor.name, values, quant), encoding=tensor.encoding, grid=grid)


def taken_scales(quant: QuantParams | None, axes: Mapping[int, Array]) -> QuantParams | None:
    if quant is None or quant.axis is None or quant.axis not in axes:
        return quant
    return replace(quant, scales=tuple(map(float, np.asarray(quant.scales)[axes[quant.axis]])))


def taken_requant(requant: Requant, mask: Array) -> Requant:
    """The same multipliers and shifts: those of the layer as it was define the bits."""
    if len(requant.multipliers) == 1:
        return requant
    kept = np.flatnonzero(mask)
    multipliers, shifts = (tuple(v[i] for i in kept) for v in (requant.multipliers, requant.shifts))
    return replace(requant, multipliers=multipliers, shifts=shifts)


def cut_other(node: Node, masks: Masks) -> None:
    y = node.outputs[0]
    node.op = narrowed(node.op, node, masks)
    if isinstance(node.op, Binary):
        is_wide = [t.const is not None and t.shape[-1] == len(masks[y]) for t in node.inputs]
        node.inputs = [
            taken(t, {len(t.shape) - 1: masks[y]}) if wide else t for t, wide in zip(node.inputs, is_wide, strict=True)
        ]


def narrowed(op: Op, node: Node, masks: Masks) -> Op:
    """The operator with those of its fields that count channels."""
    sizes = [int(masks[t].sum()) for t in node.outputs]
    match op:
        case Reshape():
            return replace(op, shape=last(op.shape, sizes[0]))
        case Slice():
            start = int(masks[node.inputs[0]][: op.starts[-1]].sum())
            return replace(op, starts=last(op.starts, start), sizes=last(op.sizes, sizes[0]))
        case Split() if op.axis == len(node.outputs[0].shape) - 1:
            return replace(op, sizes=tuple(sizes))
        case Pad():
            before, inside = op.begins[-1], len(masks[node.inputs[0]])
            added = masks[node.output][:before], masks[node.output][before + inside :]
            return replace(op, begins=last(op.begins, int(added[0].sum())), ends=last(op.ends, int(added[1].sum())))
        case PRelu() if op.axis == len(node.output.shape) - 1:
            return taken_slopes(op, masks[node.output])
    return op


def taken_slopes(op: PRelu, mask: Array) -> PRelu:
    slopes = tuple(s for s, stays in zip(op.slopes, mask, strict=True) if stays)
    if op.fixed is None:
        return replace(op, slopes=slopes)
    negative = tuple(m for m, stays in zip(op.fixed.negative, mask, strict=True) if stays)
    return replace(op, slopes=slopes, fixed=replace(op.fixed, negative=negative))


def last(values: Shape, value: int) -> Shape:
    """The tuple with another last entry."""
    return (*values[:-1], value)


def rename_twice_used(graph: Graph) -> None:
    """A constant that two nodes shared may have become two."""
    names: set[str] = set()
    for t in graph.constants():
        if t.name in names:
            t.name = graph.fresh_name(t.name)
        names.add(t.name)
