"""Weights, biases and other constants as integers."""

from __future__ import annotations

import numpy as np

from ..ir import DType, Node, QuantParams, Tensor, constant
from ..ops.weighted import Weighted
from .calibrate.ranges import MIN_SCALE, Range

WEIGHT_LIMIT = 127  # symmetric: -128 is not used
# Largest bias in steps of the sum. There is no weight yet to keep, so it is generous: room for the products in 32 bits,
# for a multiplier in 64. (A quantized file's weights are only changed beyond `quantized_layer.TOLERATED_BIAS`.)
ROOMY_BIAS = {DType.I8: 1 << 28, DType.I16: 1 << 36}


def weight_params(node: Node, input_quant: QuantParams) -> QuantParams:
    """Symmetric int8 per output channel, from the channel's largest weight.

    A channel's scale grows where its bias would otherwise be too large a multiple of input scale * weight scale.
    A channel of zeros takes the scale of the largest other one. Decided: no search for the scale of least squared
    error, because it changed the outputs of six networks by no more than 0.5 dB, either way.
    Weights that lie on a grid keep it, unless a bias is too large for it.
    """
    op, (_, weight, bias) = node.op, node.inputs
    assert isinstance(op, Weighted)
    assert weight.const is not None and bias.const is not None
    scales = np.abs(weight.const.astype(np.float64)).max(axis=op.other_axes(weight.shape), initial=0.0) / WEIGHT_LIMIT
    scales = np.where(scales > MIN_SCALE, scales, scales.max(initial=0.0) or 1.0)
    least = np.abs(bias.const.astype(np.float64)) / (input_quant.scale * ROOMY_BIAS[input_quant.dtype])
    if weight.grid is not None and np.all(np.asarray(weight.grid.scales) >= least):
        return weight.grid
    scales = np.maximum(scales, least)
    return QuantParams(tuple(float(s) for s in scales.astype(np.float32)), 0, DType.I8, op.weight_axis)


def quantized_weight(tensor: Tensor, quant: QuantParams, name: str) -> Tensor:
    assert tensor.const is not None
    stored = quant.quantize(tensor.const)
    return constant(name, stored if quant is tensor.grid else np.maximum(stored, -WEIGHT_LIMIT), quant)


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
