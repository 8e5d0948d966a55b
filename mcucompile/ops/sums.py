"""Sums of products: exact on integers, float32 on reals, with the bounds that prove 32 bits enough."""

from __future__ import annotations

import numpy as np

from ..ir import Array, DType, Node, Numerics, Requant, requant

EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53


def matmul(a: Array, b: Array) -> Array:
    """a @ b. Integers go through floats (BLAS), exact while every sum stays below 2**24 or, in float64, 2**53."""
    if not np.issubdtype(a.dtype, np.integer):
        product: Array = np.matmul(a, b)
        return product.astype(a.dtype)
    reach = int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[-1]
    assert reach < EXACT_FLOAT64, "an integer sum is too long for exact float64"
    kind = np.float32 if reach < EXACT_FLOAT32 else np.float64
    exact: Array = np.matmul(a.astype(kind), b.astype(kind))
    return exact.astype(np.int64)


def real_factors(node: Node) -> tuple[float, ...]:
    """s_x * s_w / s_y per output channel, in float64, as TensorFlow Lite Micro forms it for every layer too."""
    x, w, y = node.inputs[0].quant, node.inputs[1].quant, node.outputs[0].quant
    assert x and w and y
    return tuple(x.scale * s / y.scale for s in w.scales)


def channel_requant(node: Node, numerics: Numerics, channels: int, channel_axis: int) -> Requant:
    """The requantization of a layer with weights: one multiplier per output channel, or one for all.

    `channel_axis` is the output-channel axis of the weight: last for depthwise [KH,KW,C], first for the others.
    """
    reals = real_factors(node)
    bound = weighted_bound(node, channel_axis)
    assert len(reals) in (1, channels)
    wide = node.inputs[0].dtype is DType.I16 and (bound >= 1 << 31 or numerics is Numerics.TFLITE)
    return requant(reals, numerics, max(bound, 1 << 31) if wide else (1 << 31) - 1)


def weighted_bound(node: Node, channel_axis: int) -> int:
    """The largest magnitude that any partial sum b - zero*sum(w) + sum(x*w) over stored x can reach, in any order.

    Kernels fold the input's zero point into the bias, so it is this sum, not the centred one, that must fit.
    """
    return max(weighted_bounds(node, channel_axis), default=0)


def weighted_bounds(node: Node, channel_axis: int) -> tuple[int, ...]:
    """The same for each output channel; () on real numbers."""
    x, w, b = node.inputs
    if x.quant is None or w.const is None or b.const is None:
        return ()
    axes = tuple(i for i in range(w.const.ndim) if i != channel_axis % w.const.ndim)
    weights = w.const.astype(np.int64)
    folded = b.const.astype(np.int64) - x.quant.zero * weights.sum(axis=axes)
    reach = np.abs(folded) + -x.dtype.low * np.abs(weights).sum(axis=axes)
    return tuple(map(int, np.maximum(reach, np.abs(b.const.astype(np.int64)))))
