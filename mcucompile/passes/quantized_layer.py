"""Weights and bias of a layer of a quantized model file, in the form that the integer layer takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import CompileError
from ..ir import Array, DType, Node, QuantParams, Tensor, constant, real_values
from ..ops.weighted import Weighted

SAME_SCALE = 1e-5  # relative: float32 products of scales, in whatever order an exporter multiplied
TOLERATED_BIAS = 1 << 30  # steps of the sum; half of its range is left to the products
LOST_BIAS = 2.0**-13  # of the output's range: 1/32 step of 8 bits, 1/512 of 4
SMALLEST = float(np.finfo(np.float32).tiny)


def layer_constants(node: Node, inputs: Sequence[Tensor], output_range: float) -> list[Tensor] | None:
    """x, w, b for integers, or None when the weights are not quantized, or not per output channel.

    `output_range`: between the smallest and the largest real value of the result.
    """
    x, weight, bias = inputs
    assert isinstance(node.op, Weighted)
    axis = node.op.weight_axis
    if weight.quant is None or weight.quant.axis not in (None, axis) or x.quant is None:
        return None
    if weight.dtype not in (DType.I8, DType.I16) or bias.const is None or weight.const is None:
        return None
    w = symmetric(weight)
    if x.dtype is DType.I8:
        w = roomy(w, axis, x.quant.scale, real_values(bias))
    if not is_on_scale(bias, sum_steps(x, w)):
        w = fine(w, x, real_values(bias), output_range)
    return [x, w, integer_bias(bias, x, w, node)]


def symmetric(weight: Tensor) -> Tensor:
    """The same real values with zero point 0: int8 where they fit, else int16, so that every bit is kept."""
    assert weight.const is not None and weight.quant
    if weight.quant.zero == 0:
        return weight
    values = narrowest(weight.const.astype(np.int64) - weight.quant.zero)
    dtype = DType(values.dtype.name)
    return replace(weight, const=values, quant=replace(weight.quant, zero=0, dtype=dtype), dtype=dtype)


def narrowest(values: Array) -> Array:
    """Centred weights as int8 where they fit, else as int16."""
    fits_int8 = values.min(initial=0) >= -128 and values.max(initial=0) <= 127
    return values.astype(np.int8 if fits_int8 else np.int16)


def roomy(weight: Tensor, axis: int, input_scale: float, bias: Array) -> Tensor:
    """The weights with coarser scales for channels whose bias would not fit 32 bits otherwise.

    Such a channel's weights are zero or tiny beside its bias: files give it the smallest scale there is.
    """
    assert weight.const is not None and weight.quant
    scales = np.asarray(weight.quant.scales, np.float64) * np.ones(weight.shape[axis])
    needed = np.abs(bias.astype(np.float64)) / (input_scale * TOLERATED_BIAS)
    if np.all(scales >= needed * (1 - SAME_SCALE)):
        return weight
    wider = np.where(scales < needed, needed, scales).astype(np.float32).astype(np.float64)
    along = [-1 if i == axis else 1 for i in range(weight.const.ndim)]
    values = np.rint(weight.const * (scales / wider).reshape(along)).astype(weight.const.dtype)
    return replace(weight, const=values, quant=QuantParams(tuple(map(float, wider)), 0, weight.dtype, axis))


def fine(weight: Tensor, x: Tensor, bias: Array, output_range: float) -> Tensor:
    """The weights times the largest power of two that int8 allows, where the bias would be too coarse without.

    Weights and activations of few bits make sums of few steps, and a bias is a whole number of them. What it loses
    moves the thresholds between the output's steps, of which there are few.
    """
    assert weight.const is not None and weight.quant
    steps, factor = sum_steps(x, weight), largest_factor(weight.const)
    lost = np.abs(bias / steps - np.rint(bias / steps)) * steps
    scales = tuple(s / factor for s in weight.quant.scales)
    if weight.dtype is not DType.I8 or np.all(lost <= LOST_BIAS * output_range) or min(scales) < SMALLEST:
        return weight
    return replace(weight, const=weight.const * np.int8(factor), quant=replace(weight.quant, scales=scales))


def largest_factor(stored: Array) -> int:
    """The largest power of two, up to 64, that int8 allows."""
    low, high = int(stored.min(initial=0)), int(stored.max(initial=0))
    return max(f for f in (1, 2, 4, 8, 16, 32, 64) if f == 1 or (low * f >= DType.I8.low and high * f <= DType.I8.high))


def sum_steps(x: Tensor, weight: Tensor) -> Array:
    """The real value of 1 in the layer's sums, per output channel or for all."""
    assert x.quant and weight.quant
    return x.quant.scale * np.asarray(weight.quant.scales, np.float64)


def integer_bias(bias: Tensor, x: Tensor, weight: Tensor, node: Node) -> Tensor:
    """At scale_x * scale_w: int32, or int64 where int16 activations need more. Raises E0203 if it fits neither."""
    assert x.quant and weight.quant and bias.const is not None
    steps = sum_steps(x, weight)
    if is_on_scale(bias, steps):
        stored = bias.const.astype(np.int64)
    else:
        exact = np.rint(real_values(bias).astype(np.float64) / steps)
        if not np.all(np.abs(exact) < 2.0**62):
            raise CompileError("E0203", "the bias is too large for the scales of input and weights", node.where)
        stored = exact.astype(np.int64)
    dtype = DType.I32 if np.abs(stored).max(initial=0) <= DType.I32.high else DType.I64
    if dtype is DType.I64 and x.dtype is not DType.I16:
        raise CompileError("E0203", "the bias does not fit 32 bits", node.where)
    scales = tuple(max(float(np.float32(s)), SMALLEST) for s in steps)
    quant = QuantParams(scales, 0, dtype, None if len(scales) == 1 else 0)
    return constant(bias.name, stored.astype(dtype.numpy), quant)


def is_on_scale(bias: Tensor, steps: Array) -> bool:
    """Whether a quantized bias already has the scale of the sums; then its integers are taken as they are."""
    if bias.quant is None or bias.quant.zero != 0 or not bias.dtype.is_integer:
        return False
    scales = np.asarray(bias.quant.scales, np.float64)
    return len(scales) in (1, len(steps)) and bool(np.all(np.abs(scales - steps) <= SAME_SCALE * steps))
