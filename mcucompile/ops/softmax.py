"""Softmax over the last axis; another axis is brought there by transposes when the model is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..errors import CompileError
from ..ir import (
    Array,
    Arrays,
    Builder,
    DType,
    Exporter,
    Moved,
    Node,
    Numerics,
    OnnxNode,
    Op,
    Perm,
    QuantParams,
    ScaleRule,
    Shape,
    Tensor,
    Unsupported,
    saturate,
)
from ..ir.op import text_of
from .fixed_point import Ints, multiply_gemmlowp, scale_of, shift_right, unit_quant, zero_of
from .gemmlowp import ONE, exp_negative, one_over_one_plus, shift_right_away, times
from .moving import moved_before_last
from .transpose import Transpose

EXP_BITS = 30  # at most: entries below 2**30, rows of two
LONGEST_ROW = 1 << 15  # leaves the exponentials 16 bits
FIX_SCALE = "quantize the output with scale 1/256, which covers all values of a softmax"


@dataclass(frozen=True)
class ExpTable:
    """exp(-scale * d) for d = 0..255 or 0..65535 as an unsigned integer with `bits` fraction bits, 1.0 = 2**bits.

    low[i] = round(2**bits * exp(-scale*i)) for i < 256, and the exponential is low[d]. An int16 input has
    high[i] = round(2**31 * exp(-scale*256*i)) too, and the exponential is (low[d & 255] * high[d >> 8] + 2**30) >> 31
    in 64 bits; else `high` is empty. All entries, and the sum of a row, fit uint32.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    bits: int

    def at(self, difference: Ints) -> Ints:
        """The exponential of minus each difference."""
        low: Ints = np.asarray(self.low, np.int64)[difference & 255]
        if not self.high:
            return low
        return shift_right(low * np.asarray(self.high, np.int64)[difference >> 8], 31)

    def __str__(self) -> str:
        return f"exp {text_of(self.low)} {text_of(self.high)} of {self.bits} bits"


@dataclass(frozen=True)
class Reciprocal:
    """From exponentials e and their sum S to the output: r = dividend / S (64-bit division, rounded down, below 2**32),
    y = sat(zero_y + ((e * r + 2**(shift-1)) >> shift)), the product in 64 bits.
    """

    dividend: int
    shift: int

    def apply(self, e: Ints) -> Ints:
        """y - zero_y, not yet saturated."""
        return shift_right(e * (self.dividend // e.sum(axis=-1, keepdims=True)), self.shift)


@dataclass(frozen=True)
class GemmlowpReciprocal:
    """TensorFlow Lite's way from exponentials e (31 fraction bits, a table of 256) to an output of `output_bits`.

    S = sum of (e + 2**11) >> 12; h = number of leading zeros of S as uint32; r = one_over_one_plus(f) with
    f = (S << h) - 2**31 (see `gemmlowp`; once per row); y = sat(low + RoundingDivideByPOT(
    SaturatingRoundingDoublingHighMul(r, e), 12 - h + 31 - output_bits)), low the smallest stored value.
    """

    output_bits: int

    def apply(self, e: Ints) -> Ints:
        total = ((e + (1 << 11)) >> 12).sum(axis=-1, keepdims=True)
        leading = 31 - np.floor(np.log2(total.astype(np.float64))).astype(np.int64)
        r = one_over_one_plus((total << leading) - (1 << 31))
        return shift_right_away(times(e, r), 43 - leading - self.output_bits) - (1 << (self.output_bits - 1))


@dataclass(frozen=True)
class Softmax(Op):
    """y[..., i] = exp(x[..., i] - m) / sum over j of exp(x[..., j] - m), m the row's largest x.

    Integers, numerics=onnx: e = `exp` at max(q) - q, then `scaling`. For rows of n the result is within
    1/2 + (n+1) * (2**-bits + 2**-30) / scale_y steps of the real value, bits = min(30, 31 - ceil(log2(n))): the largest
    error of a row of 10 at scale 1/256 is 0.5001 steps.
    """

    exp: ExpTable | None = None
    scaling: Reciprocal | GemmlowpReciprocal | None = None

    name = "softmax"
    onnx = ("Softmax",)
    scales = ScaleRule.FIXED
    tflite_types = frozenset({DType.I8})

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        with np.errstate(over="ignore"):
            e = np.exp(x - x.max(axis=-1, keepdims=True))
        return (e / e.sum(axis=-1, keepdims=True),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, y = node.inputs[0], node.output
        if numerics is Numerics.TFLITE and x.dtype is DType.I8:
            return replace(self, exp=gemmlowp_exp_table(x), scaling=GemmlowpReciprocal(8 * y.dtype.nbytes))
        exp = exp_table(x)
        return replace(self, exp=exp, scaling=reciprocal(scale_of(y), exp.bits))

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.exp and self.scaling
        x = stored[0].astype(np.int64)
        e = self.exp.at(x.max(axis=-1, keepdims=True) - x)
        y = self.scaling.apply(e) + (zero_of(node.output) if isinstance(self.scaling, Reciprocal) else 0)
        return (saturate(y, node.output.dtype),)

    def fixed_quant(self, dtype: DType) -> QuantParams:
        return unit_quant(dtype, 1 / 256, -128)

    def moved(self, perm: Perm) -> Moved | None:
        return moved_before_last(self, perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        build.result(node, over_last_axis(build, cls(), x, node.integer("axis", -1), node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, *export.node(self.onnx[0], [export.value(node.inputs[0])], axis=-1))


def exp_table(x: Tensor) -> ExpTable:
    """For rows of x: as many fraction bits as their sums leave room for."""
    n, scale = x.shape[-1], scale_of(x)
    bits = min(EXP_BITS, 31 - (n - 1).bit_length())
    if bits < 16:
        raise CompileError("E0103", f"a softmax over {n:,} integers", fix=f"at most {LONGEST_ROW:,}, or dtype float32")
    steps = scale * np.arange(256.0)
    low = np.rint(np.exp(-steps) * (1 << bits))
    high = np.rint(np.exp(-256 * steps) * (1 << 31)) if x.dtype is DType.I16 else np.empty(0)
    return ExpTable(tuple(map(int, low)), tuple(map(int, high)), bits)


def gemmlowp_exp_table(x: Tensor) -> ExpTable:
    """TensorFlow Lite's exponentials: the argument has 5 integer bits, and differences beyond its range give 0."""
    difference = np.arange(256)
    mantissa, exponent = math.frexp(min(scale_of(x) * (1 << 26), ONE))
    radius = math.floor(31 * math.ldexp(1.0, 26 - exponent))
    multiplier = min(round(mantissa * (1 << 31)), ONE)
    argument = multiply_gemmlowp(-np.minimum(difference, radius), multiplier, -exponent)
    exp = np.where(difference <= radius, exp_negative(argument, 5), 0)
    return ExpTable(tuple(map(int, exp)), (), 31)


def reciprocal(scale_y: float, bits: int) -> Reciprocal:
    """dividend = 2**shift / scale_y with bits + 31 bits, since a sum is at least 2**bits."""
    if 1 / scale_y >= 1 << 30:  # results are int32 before they are saturated
        raise CompileError("E0204", f"the output scale {scale_y:.3g} is too small for a softmax", fix=FIX_SCALE)
    shift = bits + 30 + math.frexp(scale_y)[1]
    return Reciprocal(int(math.ldexp(1 / scale_y, shift)), shift)


def over_last_axis(build: Builder, op: Op, x: Tensor, axis: int, name: str) -> Tensor:
    """The op over `axis`, between two transposes where it is not the last."""
    rank = len(x.shape)
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of a tensor with {rank} axes")
    axis %= rank
    perm = (*(i for i in range(rank) if i != axis), axis)
    if perm == tuple(range(rank)):
        return build.emit(op, x, name=name)
    y = build.emit(op, build.emit(Transpose(perm), x), name=name)
    return build.emit(Transpose(tuple(int(i) for i in np.argsort(perm))), y)
