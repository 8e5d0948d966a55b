"""Weights and biases of a convolution in the order in which its kernels read them."""

from __future__ import annotations

import numpy as np

from ...ir import Array, Node
from ..kernel import Packed
from .geometry import Geometry


def weight_rows(node: Node, g: Geometry) -> Array:
    """[O, rows, run], each run filled up with zeros where a patch is."""
    weight = node.inputs[1].const
    assert weight is not None
    rows = weight.reshape(weight.shape[0], g.rows, -1)
    return np.pad(rows, ((0, 0), (0, 0), (0, g.run - rows.shape[2])))


def folded_bias(node: Node, taps: tuple[int, ...] = (1, 2, 3)) -> Packed:
    """b - zero * sum(w), so that the kernel multiplies stored values; int64 where int32 does not hold it.

    `taps` are the axes of the weight that are summed.
    """
    x, weight, bias = node.inputs
    assert weight.const is not None
    assert bias.const is not None
    zero = x.quant.zero if x.quant else 0
    folded = bias.const.astype(np.int64) - zero * weight.const.astype(np.int64).sum(axis=taps)
    fits = np.abs(folded).max(initial=0) < 1 << 31
    return Packed("bias", folded.astype(np.int32 if fits else np.int64))
