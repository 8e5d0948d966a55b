"""The 256-entry tables that give the bits of TensorFlow Lite's int8 functions, from its reference kernels' formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir import Array, Tensor
from ..ir.quant import quantize_multiplier
from .fixed_point import Ints, multiply_gemmlowp, scale_of, zero_of
from .gemmlowp import shift_right_away

INPUT_BITS = 4  # integer bits of the argument of logistic and tanh


def centred_inputs(x: Tensor) -> Ints:
    return np.arange(x.dtype.low, x.dtype.high + 1) - zero_of(x)


def scaled(values: Ints, real: float) -> Ints:
    """TensorFlow Lite's MultiplyByQuantizedMultiplier."""
    multiplier, shift = quantize_multiplier(real)
    return multiply_gemmlowp(values, multiplier, shift - 31)


def rescaled(x: Tensor, y: Tensor) -> Array:
    """Quantize from one int8 scale to another."""
    return saturated(scaled(centred_inputs(x), scale_of(x) / scale_of(y)), y)


def saturated(values: Ints, y: Tensor) -> Array:
    return np.clip(values + zero_of(y), y.dtype.low, y.dtype.high)


def leaky(x: Tensor, y: Tensor, alpha: float) -> Array:
    """LeakyRelu: both factors are formed in float32."""
    values, sx, sy = centred_inputs(x), np.float32(scale_of(x)), np.float32(scale_of(y))
    below = scaled(values, float(sx * np.float32(alpha) / sy))
    return saturated(np.where(values >= 0, scaled(values, float(sx / sy)), below), y)


def sigmoid_like(x: Tensor, y: Tensor, function: Callable[[Ints, int], Ints], fraction_bits: int) -> Array:
    """Logistic (8 fraction bits) and Tanh (7): the argument with 4 integer bits, saturated outside its range."""
    values, real = centred_inputs(x), scale_of(x) * (1 << (31 - INPUT_BITS))
    left = math.frexp(real)[1]
    radius = math.floor(((1 << INPUT_BITS) - 1) * math.ldexp(1.0, 31 - INPUT_BITS - left))
    inside = np.abs(values) < radius
    result = shift_right_away(function(scaled(np.where(inside, values, 0), real), INPUT_BITS), 31 - fraction_bits)
    far = np.where(values < 0, -(1 << 16), 1 << 16)
    return saturated(np.where(inside, result, far), y)


# --- HardSwish, in 16 bits


def high_mul16(a: Ints, b: int) -> Ints:
    """round(a*b / 2**15), ties away from zero."""
    product = a * b
    return truncated(product + np.where(product >= 0, 1 << 14, 1 - (1 << 14)), 15)


def truncated(value: Ints, bits: int) -> Ints:
    """value / 2**bits toward zero."""
    return np.where(value < 0, -(-value >> bits), value >> bits)


def multiplier16(real: float) -> tuple[int, int]:
    """A 16-bit multiplier and the exponent that goes with it."""
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1), 31 - shift


def hard_swish(x: Tensor, y: Tensor) -> Array:
    """x * relu6(x + 3) / 6 with the argument in 7 more bits."""
    fine_scale = np.float32(1 / 128) * np.float32(scale_of(x))
    out_multiplier, out_exponent = multiplier16(float(fine_scale / np.float32(scale_of(y))))
    multiplier, exponent = multiplier16(float(fine_scale / np.float32(3 / 32768)))
    fine = centred_inputs(x) << 7
    gate = high_mul16(saturate16(fine << max(exponent - 1, 0)), multiplier)
    gate = saturate16(gate << 1) if exponent > 0 else shift_right_away(gate, -exponent)
    gate = (gate + (1 << 15)) >> 1
    product = truncated(gate * high_mul16(fine, out_multiplier), 15)
    return saturated(shift_right_away(product, -out_exponent), y)


def saturate16(values: Ints) -> Ints:
    return np.clip(values, -(1 << 15), (1 << 15) - 1)
