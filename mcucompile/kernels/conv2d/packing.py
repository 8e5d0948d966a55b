"""Weights and biases of a convolution in the order in which its kernels read them."""

from __future__ import annotations

import numpy as np

from ...ir import Array, DType, Node
from ...ops.weighted import Weighted
from ..kernel import Packed
from ..scaling import settled_bias
from .geometry import Geometry


def weight_rows(node: Node, g: Geometry) -> Array:
    """[O, rows, run], each run filled up with zeros where a patch is."""
    weight = node.inputs[1].const
    assert weight is not None
    rows = weight.reshape(weight.shape[0], g.rows, -1)
    return np.pad(rows, ((0, 0), (0, 0), (0, g.run - rows.shape[2])))


def fill_groups(values: Array, groups: int, multiple: int) -> Array:
    """[O, ...] with every group's channels filled up with zeros to a multiple; a group's channels stay together."""
    grouped = values.reshape(groups, values.shape[0] // groups, *values.shape[1:])
    missing = -grouped.shape[1] % multiple
    filled = np.pad(grouped, [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 1))
    return filled.reshape(-1, *values.shape[1:])


def filled(packed: Packed, groups: int, multiple: int) -> Packed:
    """A constant with one entry per channel, as `fill_groups` does it."""
    return Packed(packed.role, fill_groups(packed.values, groups, multiple))


def interleaved_weights(node: Node, g: Geometry, channels: int) -> Packed:
    """[O/channels, patch, channels]: one value of every channel of a block, then the next."""
    rows = fill_groups(weight_rows(node, g).reshape(g.out_channels, g.patch), g.groups, channels)
    return Packed("weight", rows.reshape(-1, channels, g.patch).transpose(0, 2, 1))


def folded_bias(node: Node) -> Packed:
    """b - zero * sum(w), so that the kernel multiplies stored values; int64 where int32 does not hold it."""
    x, weight, bias = node.inputs
    assert isinstance(node.op, Weighted)
    assert weight.const is not None
    assert bias.const is not None
    if x.dtype is DType.F32:
        return Packed("bias", bias.const)
    zero = x.quant.zero if x.quant else 0
    sums = weight.const.astype(np.int64).sum(axis=node.op.other_axes(weight.shape))
    folded = settled_bias(node, bias.const.astype(np.int64) - zero * sums)
    return Packed("bias", folded.astype(np.int32 if fits_int32(folded) else np.int64))


def fits_int32(bias: Array) -> bool:
    """Whether a kernel can read the bias as int32."""
    return bool(np.abs(bias).max(initial=0) <= DType.I32.high)
