"""The fixed-point functions of gemmlowp on which TensorFlow Lite's integer exp, logistic, tanh and softmax rest.

A value with I integer bits is an int32 (held here in int64) that means raw / 2**(31 - I). Multiplication adds the
integer bits of its operands. Source of all formulas: gemmlowp's fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import numpy as np

from ..ir.quant import doubling_high_mul, rounding_divide_by_pot
from .fixed_point import Ints

ONE = (1 << 31) - 1  # with no integer bits, 1.0 saturates
INT32_MIN = -(1 << 31)


def ints(value: int) -> Ints:
    return np.asarray(value, np.int64)


def times(a: Ints, b: Ints | int) -> Ints:
    return doubling_high_mul(a, ints(b) if isinstance(b, int) else b)


def shift_left(x: Ints, bits: int) -> Ints:
    """x * 2**bits, saturated."""
    saturated: Ints = np.clip(x << bits, INT32_MIN, ONE)
    return saturated


def shift_right_away(x: Ints, bits: int | Ints) -> Ints:
    """x / 2**bits, ties away from zero."""
    return rounding_divide_by_pot(x, np.asarray(bits, np.int64))


def half_sum(a: Ints, b: int) -> Ints:
    """(a + b) / 2, ties away from zero, for a + b >= 0."""
    return (a + b + 1) >> 1


# --- exp

QUARTERS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))


def exp_above_minus_quarter(a: Ints) -> Ints:
    """exp(a) for -1/4 <= a < 0, without integer bits: a polynomial around -1/8."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = times(x, x)
    x3, x4 = times(x2, x), times(x2, x2)
    tail = shift_right_away(times(shift_right_away(x4, 2) + x3, third) + x2, 1)
    return exp_minus_eighth + times(x + tail, exp_minus_eighth)


def exp_negative(a: Ints, integer_bits: int) -> Ints:
    """exp(a) for a <= 0 with `integer_bits`; the result has none."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = exp_above_minus_quarter(shift_left(modulo, integer_bits))
    remainder = modulo - a
    for exponent, factor in QUARTERS:
        if integer_bits > exponent:
            bit = 1 << (fraction_bits + exponent)
            result = np.where(remainder & bit, times(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (fraction_bits + 5)), 0, result)
    return np.where(a == 0, ONE, result)


# --- quotients

TWO_BITS_ONE = 1 << 29  # 1.0 with two integer bits


def newton(a: Ints) -> Ints:
    """2 / (1 + a) for 0 <= a <= 1; a without integer bits, the result with two: three Newton-Raphson steps."""
    half_denominator = half_sum(a, ONE)
    x = 1515870810 + times(half_denominator, -1010580540)  # 48/17 - 32/17 * half_denominator
    for _ in range(3):
        rest = TWO_BITS_ONE - times(half_denominator, x)
        x = x + shift_left(times(x, rest), 2)
    return x


def one_over_one_plus(a: Ints) -> Ints:
    """1 / (1 + a) for 0 <= a <= 1, without integer bits."""
    return shift_left(newton(a), 1)


def one_minus_over_one_plus(a: Ints) -> Ints:
    """(1 - a) / (1 + a) for 0 <= a <= 1, without integer bits."""
    return shift_left(newton(a) - TWO_BITS_ONE, 2)


def logistic(a: Ints, integer_bits: int) -> Ints:
    """1 / (1 + exp(-a)), the result without integer bits."""
    positive = one_over_one_plus(exp_negative(-np.abs(a), integer_bits))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, ONE - positive))


def tanh(a: Ints, integer_bits: int) -> Ints:
    """tanh(a), the result without integer bits."""
    magnitude = one_minus_over_one_plus(exp_negative(-np.abs(a), integer_bits + 1))
    return np.where(a == 0, 0, np.where(a > 0, magnitude, -magnitude))
