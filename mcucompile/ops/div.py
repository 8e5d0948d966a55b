"""Quotient of two tensors, element by element."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..errors import CompileError
from ..ir import Array, Arrays, Builder, Node, Numerics, OnnxNode, Tensor, constant, integer_clip, real_values, saturate
from ..ir.quant import QuantParams
from .binary import Binary, with_rank
from .fixed_point import divide_half_up, reach, scale_of
from .mul import Mul


@dataclass(frozen=True)
class Quotient:
    """y' = floor((n + (d >> 1)) / d) with n = a' * multiplier, d = b' << shift, both negated where b' < 0.

    a' = a - zero_a and b' = b - zero_b. All values fit `bits` (32 or 64) bits; floor is C's division corrected for
    negative numerators. b' = 0 gives the largest y for a' > 0, the smallest for a' < 0, and real zero for a' = 0.
    Before rounding and within y's range, the quotient is wrong by less than 2**-13 of a step for 8-bit operands and
    2**-8 for int16.
    """

    multiplier: int
    shift: int
    bits: int


@dataclass(frozen=True)
class Div(Binary):
    """y = a / b, with numpy's broadcasting. Integers: y = sat(zero_y + y'), y' as `Quotient` says.

    A divisor that is one constant number is imported as a Mul by its reciprocal.
    """

    fixed: Quotient | None = None

    name = "div"
    onnx = ("Div",)

    def combine(self, a: Array, b: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return a / b

    def fix(self, node: Node, numerics: Numerics) -> Self:
        return replace(self, fixed=quotient(node))

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.fixed is not None
        zeros = [t.quant.zero if t.quant else 0 for t in [*node.inputs, node.output]]
        a, b = stored[0].astype(np.int64) - zeros[0], stored[1].astype(np.int64) - zeros[1]
        sign = np.where(b < 0, -1, 1)
        n, d = sign * a * self.fixed.multiplier, np.abs(b) << self.fixed.shift
        beyond = np.sign(a) << 20  # saturates
        y = np.where(b == 0, beyond, divide_half_up(n, np.maximum(d, 1))) + zeros[2]
        return (saturate(np.clip(y, *integer_clip(self.clip, node)), node.output.dtype),)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        a, b = build.input(node, 0), build.input(node, 1)
        reciprocal = None if b.const is None else scalar_reciprocal(b)
        if reciprocal is None:
            super().from_onnx(node, build)
            return
        rank = max(len(a.shape), len(b.shape))
        factor = build.constant(f"{node.name}_reciprocal", with_rank(build, reciprocal, rank))
        build.result(node, build.emit(Mul(), with_rank(build, a, rank), factor, name=node.name))


def quotient(node: Node) -> Quotient:
    """The constants for s_a / (s_b * s_y): 22 bits of multiplier and shift for 8-bit operands, else 30."""
    a, b, y = (*node.inputs, node.output)
    ratio = scale_of(a) / scale_of(b) / scale_of(y)
    bits = 32 if max(reach(a), reach(b)) < 512 else 64
    limit = 22 if bits == 32 else 30
    shift = min(limit, limit - math.frexp(ratio)[1])
    if shift < 0:
        raise CompileError("E0204", f"the output scale {scale_of(y):.3g} cannot hold a quotient", node.where)
    return Quotient(round(math.ldexp(ratio, shift)), shift, bits)


def scalar_reciprocal(divisor: Tensor) -> Tensor | None:
    """1 / divisor as a constant of the same type, where all its values are one number other than 0; else None."""
    values = real_values(divisor).ravel()
    if values.size == 0 or values[0] == 0 or not np.all(values == values[0]):
        return None
    if divisor.quant is None:
        return constant(divisor.name, (1 / np.float64(values)).astype(np.float32).reshape(divisor.shape))
    top = divisor.quant.dtype.high
    sign = 1 if values[0] > 0 else -1
    quant = QuantParams.per_tensor(1 / (abs(float(values[0])) * top), 0, divisor.quant.dtype)
    return constant(divisor.name, np.full(divisor.shape, sign * top, divisor.dtype.numpy), quant)
