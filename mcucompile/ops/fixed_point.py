"""Fixed-point arithmetic that several operators share, on int64 arrays that hold what the C holds in 32 or 64 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CompileError
from ..ir import Array, DType, QuantParams, Requant, Tensor
from ..ir.quant import doubling_high_mul, rounding_divide_by_pot

Ints = NDArray[np.int64]
WORD = (1 << 31) - 1
TFLITE_TYPES = frozenset({DType.I8, DType.I16})  # of operators that have TensorFlow Lite's bits with either
ERROR_BITS = 12  # an operator's factors are precise to 2**-ERROR_BITS of an output step


def scale_of(tensor: Tensor) -> float:
    """The one scale of a quantized activation or operand."""
    assert tensor.quant, f"%{tensor.name} is not quantized"
    if len(tensor.quant.scales) != 1:
        raise CompileError("E0204", f"operand %{tensor.name} has a scale per channel", fix="quantize it per tensor")
    return tensor.quant.scales[0]


def zero_of(tensor: Tensor) -> int:
    return tensor.quant.zero if tensor.quant else 0


def unit_quant(dtype: DType, scale: float, zero: int) -> QuantParams:
    """Of a result within [-1, 1]: the given int8 quantization, or 15 fraction bits of an int16."""
    return QuantParams.per_tensor(scale, zero) if dtype is DType.I8 else QuantParams.per_tensor(1 / 32768, 0, dtype)


def reach(tensor: Tensor) -> int:
    """The largest magnitude of a stored value plus that of the zero point: bounds q, zero and q - zero."""
    return max(-tensor.dtype.low, tensor.dtype.high) + abs(zero_of(tensor))


def common_shift(factors: Sequence[float], reaches: Sequence[int], zero: int) -> tuple[int, int]:
    """(shift, bits) for y = (sum of x_i * round(f_i * 2**shift) + offset) >> shift, with |x_i| <= reaches[i].

    bits is 32 where every partial sum fits int32 at a shift that keeps the total error below 2**-ERROR_BITS of a step;
    otherwise it is 64, and multipliers stay below 2**31. `zero` is the output's zero point, part of the offset.
    Raises E0204 when a factor is out of reach.
    """
    top = sum(abs(f) * r for f, r in zip(factors, reaches, strict=True)) + abs(zero) + 1
    error = sum(reaches) / 2
    shift = math.floor(math.log2((WORD - sum(reaches)) / top))
    if error < 2.0 ** (shift - ERROR_BITS):
        return min(shift, 30), 32
    shift = min(40, 31 - math.frexp(max(abs(f) for f in factors))[1], math.floor(62 - math.log2(top)))
    if shift < 1:
        raise CompileError("E0204", f"an output scale is {max(map(abs, factors)):.3g} times smaller than an input's")
    return shift, 64


def fixed(factor: float, shift: int) -> int:
    """factor * 2**shift, to nearest; at most 2**31 - 1, where a factor just below a power of two rounds up."""
    return min(round(math.ldexp(factor, shift)), WORD)


def shift_right(acc: Ints, shift: int | Ints) -> Ints:
    """acc / 2**shift to nearest, ties toward +infinity."""
    return np.asarray((acc + (np.int64(1) << (np.asarray(shift, np.int64) - 1))) >> shift)


def select_requant(requant: Requant, index: Array, acc: Array) -> Ints:
    """acc requantized with the multiplier and shift that `index` names for each element."""
    multipliers, shifts = np.asarray(requant.multipliers, np.int64), np.asarray(requant.shifts, np.int64)
    return shift_right(acc.astype(np.int64) * multipliers[index], shifts[index])


def multiply_gemmlowp(value: Ints, multiplier: int, shift: int) -> Ints:
    """value * multiplier / 2**(31 + shift) in gemmlowp's two roundings; a negative shift goes left, before."""
    left, right = max(-shift, 0), np.asarray(max(shift, 0), np.int64)
    return rounding_divide_by_pot(doubling_high_mul(value << left, np.asarray(multiplier, np.int64)), right)


def divide_half_away(total: Array, count: Array) -> Ints:
    """total / count to nearest, ties away from zero, count > 0: (total +- count/2) / count in C's division."""
    magnitude: Ints = (np.abs(total.astype(np.int64)) + count // 2) // count
    return np.where(total < 0, -magnitude, magnitude)


def divide_half_up(numerator: Array, denominator: Array) -> Ints:
    """numerator / denominator to nearest, ties toward +infinity, denominator > 0."""
    quotient: Ints = (numerator.astype(np.int64) + (denominator >> 1)) // denominator
    return quotient
