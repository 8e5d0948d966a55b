"""Fixed-point arithmetic, defined once. templates/lib/c/mcu_scale*.h mirror it in C, bit for bit.

A quantized tensor stores q and means real = scale * (q - zero). An integer operator sums products of centred integers
(q - zero) exactly and then *requantizes* the sum: multiplies by a real factor that is written as M / 2**s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..errors import CompileError
from .dtype import Array, DType

SIGNIFICANT_BITS = 20  # what a layer-wide shift must leave of every channel's multiplier
Ints = NDArray[np.int64]


class Numerics(Enum):
    """Which school's rounding the integer network follows."""

    ONNX = "onnx"
    TFLITE = "tflite"


@dataclass(frozen=True)
class QuantParams:
    """real = scales[c] * (q - zero); c runs along `axis`, or there is one scale and `axis` is None.

    Scales are float32 values, since that is what a model file can carry. Raises E0204 when a scale is not a positive
    finite number, the zero point does not fit, or a per-channel tensor has one.
    """

    scales: tuple[float, ...]
    zero: int = 0
    dtype: DType = DType.I8
    axis: int | None = None

    def __post_init__(self) -> None:
        if not all(s > 0 and math.isfinite(s) and s == float(np.float32(s)) for s in self.scales):
            raise CompileError("E0204", f"scale must be a positive float32, got {min(self.scales)}")
        if not self.dtype.low <= self.zero <= self.dtype.high:
            raise CompileError("E0204", f"zero point {self.zero} does not fit {self.dtype.value}")
        if self.axis is not None and self.zero != 0:
            raise CompileError("E0204", "a per-channel tensor must have zero point 0")
        assert self.axis is not None or len(self.scales) == 1

    @classmethod
    def per_tensor(cls, scale: float, zero: int = 0, dtype: DType = DType.I8) -> QuantParams:
        """The scale is rounded to float32."""
        return cls((float(np.float32(scale)),), zero, dtype)

    @property
    def scale(self) -> float:
        assert self.axis is None, "a per-channel tensor has no single scale"
        return self.scales[0]

    def quantize(self, real: Array) -> Array:
        """Real values to stored integers as QuantizeLinear does: float32 division, round half to even, saturate."""
        with np.errstate(over="ignore"):
            steps = np.rint(np.asarray(real, np.float32) / self._along(real.ndim).astype(np.float32))
        stored = np.clip(steps.astype(np.float64) + self.zero, self.dtype.low, self.dtype.high)
        return stored.astype(self.dtype.numpy)

    def dequantize(self, stored: Array) -> Array:
        """Stored integers to real float32 values as DequantizeLinear does."""
        centred = (stored.astype(np.int64) - self.zero).astype(np.float32)
        return np.asarray(centred * self._along(stored.ndim).astype(np.float32), np.float32)

    def integer(self, real: float) -> int:
        """The stored integer of one real value; infinities become the ends of the range."""
        if math.isinf(real):
            return self.dtype.high if real > 0 else self.dtype.low
        return int(self.quantize(np.asarray([real], np.float32))[0])

    def _along(self, ndim: int) -> NDArray[np.float64]:
        shape = [1] * ndim
        if self.axis is not None:
            shape[self.axis] = len(self.scales)
        return np.asarray(self.scales, np.float64).reshape(shape)


class Rounding(Enum):
    """How acc * M / 2**s becomes an integer."""

    HALF_UP = "one rounding, ties toward +infinity"
    GEMMLOWP = "two roundings, as the TensorFlow Lite reference kernels do"


@dataclass(frozen=True)
class Requant:
    """Multiplication of an integer sum by M / 2**s, per channel (last axis) or, with one entry, for all channels."""

    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self) -> None:
        assert len(self.multipliers) == len(self.shifts)
        assert all(0 <= m < 1 << 31 for m in self.multipliers), "multiplier out of range"
        assert all(1 <= s <= 62 for s in self.shifts), "shift out of range"

    @property
    def shift(self) -> int | None:
        """The shift that all channels share, or None."""
        return self.shifts[0] if len(set(self.shifts)) == 1 else None

    def fits_int32(self, bounds: Sequence[int], zero: int) -> bool:
        """Whether C's 32 bits hold every result, with `zero` added, of sums of magnitudes up to `bounds` (per channel,
        or one for all), and for GEMMLOWP also every sum that is shifted to the left before it is multiplied.
        """
        count, limit = max(len(bounds), len(self.shifts)), DType.I32.high
        factors = zip(*(values * (count // len(values)) for values in (self.multipliers, self.shifts)), strict=True)
        for bound, (m, s) in zip(tuple(bounds) * (count // len(bounds)), factors, strict=True):
            if ((bound * m + (1 << (s - 1))) >> s) + 1 + abs(zero) > limit:
                return False
            if self.rounding is Rounding.GEMMLOWP and bound << max(31 - s, 0) > limit:
                return False
        return True

    def apply(self, acc: Array) -> Ints:
        """int64 sums, channels last, to rounded int64 values, neither shifted by a zero point nor saturated."""
        wide = acc.astype(np.int64)
        m, s = np.asarray(self.multipliers, np.int64), np.asarray(self.shifts, np.int64)
        if self.rounding is Rounding.HALF_UP:
            return np.reshape((wide * m + (np.int64(1) << (s - 1))) >> s, acc.shape)  # also of no axes
        left, right = np.maximum(31 - s, 0), np.maximum(s - 31, 0)
        return np.reshape(rounding_divide_by_pot(doubling_high_mul(wide << left, m), right), acc.shape)


def doubling_high_mul(a: Ints, b: Ints) -> Ints:
    """gemmlowp's SaturatingRoundingDoublingHighMul on int32 values held in int64: round(a*b / 2**31), ties away from 0.

    The nudge is 2**30 for products >= 0 and 1 - 2**30 for negative ones, and the division truncates.
    """
    product = a * b
    nudged = product + np.where(product >= 0, np.int64(1 << 30), np.int64(1 - (1 << 30)))
    quotient = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    return np.where((a == b) & (a == -(1 << 31)), np.int64((1 << 31) - 1), quotient)


def rounding_divide_by_pot(x: Ints, exponent: Ints) -> Ints:
    """gemmlowp's RoundingDivideByPOT: x / 2**exponent, ties away from zero."""
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def quantize_multiplier(real: float, bits: int = 31) -> tuple[int, int]:
    """(M, s) with 2**(bits-1) <= M < 2**bits and real ~ M / 2**s; (0, bits) for zero. Raises E0204 if out of reach."""
    if real == 0:
        return 0, bits
    mantissa, exponent = math.frexp(real)
    multiplier, shift = round(mantissa * (1 << bits)), bits - exponent
    if multiplier == 1 << bits:
        multiplier, shift = 1 << (bits - 1), shift - 1
    if shift > 62:  # the product is below half a step of any sum that may occur
        return 0, bits
    if shift < 1:
        raise CompileError("E0204", f"an output scale is {real:.3g} times smaller than the products that it must hold")
    return multiplier, shift


def requant_onnx(reals: tuple[float, ...], bits: int = 31) -> Requant:
    """One shift for the layer where every channel then keeps SIGNIFICANT_BITS, else a shift per channel."""
    pairs = [quantize_multiplier(r, bits) for r in reals]
    shift = min((s for m, s in pairs if m), default=bits)
    shared = [min(round(math.ldexp(r, shift)), (1 << bits) - 1) for r in reals]
    if all(m == 0 or c.bit_length() >= min(SIGNIFICANT_BITS, bits) for (m, _), c in zip(pairs, shared, strict=True)):
        return Requant(tuple(shared), (shift,) * len(shared))
    return Requant(tuple(m for m, _ in pairs), tuple(s for _, s in pairs))


def requant_tflite(reals: tuple[float, ...], bits: int = 31) -> Requant:
    """TFLite's QuantizeMultiplier per channel: two-step rounding; for 64-bit sums a 16-bit multiplier rounded once."""
    pairs = [quantize_multiplier(r) for r in reals]
    if bits == 31:
        return Requant(tuple(m for m, _ in pairs), tuple(s for _, s in pairs), Rounding.GEMMLOWP)
    reduced = tuple((m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF for m, _ in pairs)
    return Requant(reduced, tuple(s - 16 for _, s in pairs))


def requant(reals: tuple[float, ...], numerics: Numerics, bound: int = (1 << 31) - 1) -> Requant:
    """`bound` is the largest magnitude of a sum; wide sums get a narrower M, so that 64 bits hold every product."""
    bits = min(31, 62 - bound.bit_length())
    return requant_onnx(reals, bits) if numerics is Numerics.ONNX else requant_tflite(reals, bits)


def saturate(values: Array, dtype: DType) -> Array:
    return np.clip(values, dtype.low, dtype.high).astype(dtype.numpy)
