"""Weights, biases and other constants as integers."""

from __future__ import annotations

import numpy as np

from ..ir import Array, DType, Node, QuantParams, Tensor, constant
from .calibrate.ranges import MIN_SCALE, Range

WEIGHT_LIMIT = 127  # symmetric: -128 is not used
BIAS_LIMIT = {DType.I8: 1 << 28, DType.I16: 1 << 36}  # room for the products in 32 bits, for a multiplier in 64
OUTPUT_AXIS = {"depthwise_conv2d": 2}


def output_axis(node: Node) -> int:
    """The axis of a weight along which output channels run."""
    return OUTPUT_AXIS.get(node.op.name, 0)


def channel_reach(values: Array, axis: int) -> Array:
    """The largest magnitude per index of `axis`."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    reach: Array = np.abs(values.astype(np.float64)).max(axis=others, initial=0.0)
    return reach


def weight_params(node: Node, input_quant: QuantParams) -> QuantParams:
    """Symmetric int8 per output channel, from the channel's largest weight.

    A channel's scale grows where its bias would otherwise be too large a multiple of input scale * weight scale.
    A channel of zeros takes the scale of the largest other one. Decided: no search for the scale of least squared
    error, because it changed the outputs of six networks by no more than 0.5 dB, either way.
    """
    _, weight, bias = node.inputs
    assert weight.const is not None and bias.const is not None
    scales = channel_reach(weight.const, output_axis(node)) / WEIGHT_LIMIT
    scales = np.where(scales > MIN_SCALE, scales, scales.max(initial=0.0) or 1.0)
    limit = input_quant.scale * BIAS_LIMIT[input_quant.dtype]
    scales = np.maximum(scales, np.abs(bias.const.astype(np.float64)) / limit)
    return QuantParams(tuple(float(s) for s in scales.astype(np.float32)), 0, DType.I8, output_axis(node))


def quantized_weight(tensor: Tensor, quant: QuantParams, name: str) -> Tensor:
    assert tensor.const is not None
    return constant(name, np.maximum(quant.quantize(tensor.const), -WEIGHT_LIMIT), quant)


def quantized_bias(tensor: Tensor, input_scale: float, weight: QuantParams, name: str) -> Tensor:
    """int32, or int64 where 32 bits are too few, at scale input_scale * weight scale, rounded in float64."""
    assert tensor.const is not None
    steps = np.asarray([input_scale * s for s in weight.scales], np.float64)
    stored = np.rint(tensor.const.astype(np.float64) / steps)
    dtype = DType.I32 if np.abs(stored).max(initial=0.0) <= DType.I32.high else DType.I64
    quant = QuantParams(tuple(float(s) for s in steps.astype(np.float32)), 0, dtype, 0)
    return constant(name, stored.astype(dtype.numpy), quant)


def quantized_operand(tensor: Tensor, quant: QuantParams | None, dtype: DType, name: str) -> Tensor:
    """A constant that takes the place of an activation: at the given scale, else over its own range."""
    assert tensor.const is not None
    if quant is None:
        values = tensor.const
        quant = Range(min(0.0, float(values.min())), max(0.0, float(values.max()))).params(dtype)
    return constant(name, quant.quantize(tensor.const), quant)
