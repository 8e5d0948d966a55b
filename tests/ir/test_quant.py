"""Fixed-point arithmetic against exact fractions and against gemmlowp's own definition on Python integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.errors import CompileError
from mcucompile.ir import DType, QuantParams, Requant, Rounding
from mcucompile.ir.quant import (
    SIGNIFICANT_BITS,
    Numerics,
    doubling_high_mul,
    quantize_multiplier,
    requant,
    requant_onnx,
    requant_tflite,
    rounding_divide_by_pot,
)

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
REAL = st.floats(1e-7, 0.99)


@given(REAL, st.integers(15, 31))
def test_multiplier_is_the_nearest_of_its_width(real: float, bits: int) -> None:
    m, s = quantize_multiplier(real, bits)
    assert 1 << (bits - 1) <= m < 1 << bits
    assert abs(Fraction(m, 2**s) - Fraction(real)) <= Fraction(1, 2 ** (s + 1))


def test_multiplier_of_zero_and_of_what_vanishes() -> None:
    assert quantize_multiplier(0.0) == (0, 31)
    assert quantize_multiplier(2.0**-40) == (0, 31), "below half a step of any 32-bit sum"


def test_multiplier_that_would_shift_left_too_far() -> None:
    with pytest.raises(CompileError, match="times smaller") as e:
        quantize_multiplier(2.0**40)
    assert e.value.code == "E0204"


@given(st.lists(INT32, min_size=1, max_size=20), REAL)
def test_half_up_is_one_rounding_with_ties_upward(sums: list[int], real: float) -> None:
    r = requant_onnx((real,))
    exact = [math.floor(Fraction(a * r.multipliers[0], 2 ** r.shifts[0]) + Fraction(1, 2)) for a in sums]
    assert r.apply(np.asarray(sums)).tolist() == exact


@given(st.lists(REAL, min_size=1, max_size=40))
def test_shift_is_shared_only_where_every_channel_stays_precise(reals: list[float]) -> None:
    r = requant_onnx(tuple(reals))
    assert max(r.multipliers).bit_length() == 31
    if r.shift is not None:
        assert min(m.bit_length() for m in r.multipliers) >= SIGNIFICANT_BITS
    for real, m, s in zip(reals, r.multipliers, r.shifts, strict=True):
        assert abs(Fraction(m, 2**s) - Fraction(real)) <= Fraction(real) / 2 ** (SIGNIFICANT_BITS - 1)


def test_shift_is_per_channel_when_one_channel_is_tiny() -> None:
    r = requant_onnx((0.5, 0.5 / (1 << 20)))
    assert r.shift is None
    assert all(m.bit_length() == 31 for m in r.multipliers)


def high_mul(a: int, b: int) -> int:
    """gemmlowp: (a*b + nudge) / 2^31 with C's truncating division."""
    if a == b == -(1 << 31):
        return (1 << 31) - 1
    nudged = a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30))
    return abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)


def divide_by_pot(x: int, exponent: int) -> int:
    """Round half away from zero."""
    magnitude = (abs(x) + (1 << exponent >> 1)) >> exponent
    return magnitude if x >= 0 else -magnitude


@given(INT32, INT32)
def test_doubling_high_mul(a: int, b: int) -> None:
    assert int(doubling_high_mul(np.asarray([a]), np.asarray([b]))[0]) == high_mul(a, b)


@given(INT32, st.integers(0, 31))
def test_rounding_divide_by_pot(x: int, exponent: int) -> None:
    assert int(rounding_divide_by_pot(np.asarray([x]), np.asarray(exponent))[0]) == divide_by_pot(x, exponent)


@given(st.integers(-(1 << 24), 1 << 24), st.floats(1e-6, 30.0))
def test_gemmlowp_rounds_twice(acc: int, real: float) -> None:
    r = requant_tflite((real,))
    m, s = r.multipliers[0], r.shifts[0]
    expected = divide_by_pot(high_mul(acc << max(31 - s, 0), m), max(s - 31, 0))
    assert r.rounding is Rounding.GEMMLOWP
    assert r.apply(np.asarray([acc])).tolist() == [expected]


@given(REAL, st.integers(31, 45))
def test_wide_sums_never_leave_64_bits(real: float, bits: int) -> None:
    bound = (1 << bits) - 1
    r = requant((real,), Numerics.ONNX, bound)
    assert bound * max(r.multipliers) + (1 << (r.shifts[0] - 1)) < 1 << 63


def test_quantize_rounds_half_to_even_and_saturates() -> None:
    q = QuantParams.per_tensor(0.5, 1)
    real = np.asarray([0.25, 0.75, -0.25, 1000.0, -1000.0], np.float32)
    assert q.quantize(real).tolist() == [1, 3, 1, 127, -128]
    assert q.dequantize(np.asarray([1, 3], np.int8)).tolist() == [0.0, 1.0]
    assert q.integer(math.inf) == 127
    assert q.integer(-math.inf) == -128


@pytest.mark.parametrize(
    ("scales", "zero", "axis"), [((0.0,), 0, None), ((-1.0,), 0, None), ((math.nan,), 0, None), ((0.1,), 0, None),
                                 ((1.0,), 128, None), ((1.0, 2.0), 3, 0)],
)  # fmt: skip
def test_bad_parameters_are_refused(scales: tuple[float, ...], zero: int, axis: int | None) -> None:
    """0.1 is not a float32 value; per-channel tensors have no zero point."""
    with pytest.raises(CompileError) as e:
        QuantParams(scales, zero, DType.I8, axis)
    assert e.value.code == "E0204"


def test_shared_shift() -> None:
    assert Requant((5, 7), (31, 31)).shift == 31
    assert Requant((5, 7), (31, 32)).shift is None
