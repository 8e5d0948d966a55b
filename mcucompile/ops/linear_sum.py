"""The two ways in which sums of two differently scaled integers are computed: Add and Sub."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ..errors import CompileError
from ..ir import Array, Arrays, DType, Node, Numerics, integer_clip, saturate
from ..ir.quant import quantize_multiplier
from .binary import Binary
from .fixed_point import TFLITE_TYPES, WORD, Ints, common_shift, fixed, multiply_gemmlowp, reach, scale_of, zero_of


@dataclass(frozen=True)
class LinearSum:
    """y = (a * multipliers[0] + b * multipliers[1] + offset) >> shift on stored a and b, saturated afterwards.

    Zero points and rounding (half up) are in `offset`. The multipliers are signed. With bits = 32 every partial sum
    fits int32 in any order; with bits = 64 the multipliers still fit int32, and the sum needs int64.
    Before rounding the result is within 2**-12 of a step of the real-valued formula where bits = 32 and also where
    bits = 64 while an input's step is less than 2**10 (int8) or 2**3 (int16) output steps; beyond, where nearly every
    result saturates, within (reach_a + reach_b) / 2**(shift + 1).
    """

    multipliers: tuple[int, int]
    offset: int
    shift: int
    bits: int

    def apply(self, a: Ints, b: Ints) -> Ints:
        return (a * self.multipliers[0] + b * self.multipliers[1] + self.offset) >> self.shift

    def __str__(self) -> str:
        a, b = self.multipliers
        return f"(a*{a} + b*{b} + {self.offset}) >> {self.shift} in {self.bits} bits"


@dataclass(frozen=True)
class GemmlowpSum:
    """TensorFlow Lite's sum: y = zero + scaled(scaled(a - zero_a, 0) + sign * scaled(b - zero_b, 1), 2).

    scaled(v, i) = RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(v << left_i, multipliers[i]), shifts[i]), with
    left_i = left_shift for the operands and 0 for the sum. All values fit int32; `zeros` are those of a, b and y.
    """

    left_shift: int
    multipliers: tuple[int, int, int]
    shifts: tuple[int, int, int]
    zeros: tuple[int, int, int]
    sign: int

    def apply(self, a: Ints, b: Ints) -> Ints:
        first = self._scaled((a - self.zeros[0]) << self.left_shift, 0)
        second = self._scaled((b - self.zeros[1]) << self.left_shift, 1)
        return self._scaled(first + self.sign * second, 2) + self.zeros[2]

    def _scaled(self, value: Ints, i: int) -> Ints:
        return multiply_gemmlowp(value, self.multipliers[i], self.shifts[i])

    def __str__(self) -> str:
        return f"gemmlowp {self.multipliers} >> {self.shifts} << {self.left_shift}"


@dataclass(frozen=True)
class ScaledSum(Binary):
    """Base of Add and Sub: y = a + sign * b. On integers `fixed` says how; broadcasting as numpy's."""

    fixed: LinearSum | GemmlowpSum | None = None

    tflite_types = TFLITE_TYPES
    sign: ClassVar[int]

    def fix(self, node: Node, numerics: Numerics) -> Self:
        return replace(self, fixed=(gemmlowp_sum if numerics is Numerics.TFLITE else linear_sum)(node, self.sign))

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.fixed is not None
        y = self.fixed.apply(stored[0].astype(np.int64), stored[1].astype(np.int64))
        return (saturate(np.clip(y, *integer_clip(self.clip, node)), node.output.dtype),)

    @abstractmethod
    def combine(self, a: Array, b: Array) -> Array: ...


def linear_sum(node: Node, sign: int) -> LinearSum:
    a, b, y = (*node.inputs, node.output)
    factors = (scale_of(a) / scale_of(y), sign * scale_of(b) / scale_of(y))
    shift, bits = common_shift(factors, (reach(a), reach(b)), zero_of(y))
    ma, mb = (fixed(f, shift) for f in factors)
    offset = (1 << (shift - 1)) + (zero_of(y) << shift) - zero_of(a) * ma - zero_of(b) * mb
    return LinearSum((ma, mb), offset, shift, bits)


def gemmlowp_sum(node: Node, sign: int) -> GemmlowpSum:
    """TensorFlow Lite's constants: left shift 20 for 8 bits, 15 for 16 bits."""
    a, b, y = (*node.inputs, node.output)
    left = 15 if a.dtype is DType.I16 else 20
    twice = 2 * max(scale_of(a), scale_of(b))
    reals = (scale_of(a) / twice, scale_of(b) / twice, twice / ((1 << left) * scale_of(y)))
    (m0, s0), (m1, s1), (m2, s2) = (quantize_multiplier(r) for r in reals)
    largest = [reach(t) << left for t in (a, b)]
    total = sum(((v * m) >> s) + 1 for v, m, s in zip(largest, (m0, m1), (s0, s1), strict=True))
    if max(*largest, (total << max(31 - s2, 0)) + abs(zero_of(y))) > WORD:
        raise CompileError(
            "E0204", f"with TensorFlow Lite's arithmetic the scale {scale_of(y):.3g} is too small for the sum: "
            "it would need more than 32 bits", node.where, fix="compile with --numerics onnx",
        )  # fmt: skip
    return GemmlowpSum(left, (m0, m1, m2), (s0 - 31, s1 - 31, s2 - 31), (zero_of(a), zero_of(b), zero_of(y)), sign)
