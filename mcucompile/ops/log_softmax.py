"""Logarithm of the softmax over the last axis."""

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
    Exporter,
    Moved,
    Node,
    Numerics,
    OnnxNode,
    Op,
    Perm,
    ScaleRule,
    Shape,
    saturate,
)
from ..ir.op import text_of
from .fixed_point import Ints, scale_of, zero_of
from .moving import moved_before_last
from .softmax import ExpTable, exp_table, over_last_axis


@dataclass(frozen=True)
class LogTable:
    """The logarithm of a row's sum S of exponentials, in output steps * 2**`shift`.

    With p the position of S's highest set bit and f = S << (31 - p), which is in [2**31, 2**32): i = (f >> 23) & 255,
    r = (f >> 8) & 32767, log = octave * (p - bits) + entries[i] + (((entries[i+1] - entries[i]) * r + 2**14) >> 15).
    `entries` are 257 values of ln(1 + i/256). Everything but the product fits int32.
    The interpolation is wrong by at most 2**-19 / scale_y steps.
    """

    entries: tuple[int, ...]
    octave: int
    shift: int

    def at(self, total: Ints, bits: int) -> Ints:
        position = np.floor(np.log2(total.astype(np.float64))).astype(np.int64)  # exact: total < 2**32
        mantissa = total << (31 - position)
        index, rest = (mantissa >> 23) & 255, (mantissa >> 8) & 32767
        entries: Ints = np.asarray(self.entries, np.int64)
        between = ((entries[index + 1] - entries[index]) * rest + (1 << 14)) >> 15
        log: Ints = self.octave * (position - bits) + entries[index] + between
        return log

    def __str__(self) -> str:
        return f"log {text_of(self.entries)} octave {self.octave} << {self.shift}"


@dataclass(frozen=True)
class LogSoftmax(Op):
    """y[..., i] = x[..., i] - m - ln(sum over j of exp(x[..., j] - m)), m the row's largest x.

    Integers: with d = max(q) - q, S the sum of `exp` at d and L = `log` at S, in 64 bits,
    y = sat(zero_y + ((2**(shift-1) - d * multiplier - (L << (shift - log.shift))) >> shift)).
    For rows of n the result is within 1/2 + ((n+1)/2**bits + 2**-18) / scale_y + 2**-8 steps of the real value.
    """

    exp: ExpTable | None = None
    log: LogTable | None = None
    multiplier: int = 0
    shift: int = 0

    name = "log_softmax"
    onnx = ("LogSoftmax",)
    scales = ScaleRule.FREE

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        (x,) = args
        centred = x - x.max(axis=-1, keepdims=True)
        return (centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True)),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, scale = node.inputs[0], scale_of(node.output)
        ratio = scale_of(x) / scale
        shift = min(40, 31 - math.frexp(ratio)[1])
        log = log_table(scale, min(shift, 25, 26 - math.frexp(1 / scale)[1]))
        return replace(self, exp=exp_table(x), log=log, multiplier=round(math.ldexp(ratio, shift)), shift=shift)

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.exp and self.log
        x = stored[0].astype(np.int64)
        d = x.max(axis=-1, keepdims=True) - x
        log = self.log.at(self.exp.at(d).sum(axis=-1, keepdims=True), self.exp.bits)
        y = ((1 << (self.shift - 1)) - d * self.multiplier - (log << (self.shift - self.log.shift))) >> self.shift
        return (saturate(y + zero_of(node.output), node.output.dtype),)

    def moved(self, perm: Perm) -> Moved | None:
        return moved_before_last(self, perm)

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        build.result(node, over_last_axis(build, cls(), x, node.integer("axis", -1), node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        export.result(node, *export.node("LogSoftmax", [export.value(node.inputs[0])], axis=-1))


def log_table(scale_y: float, shift: int) -> LogTable:
    if shift < 1:
        raise CompileError("E0204", f"an output scale of {scale_y:.3g} is too small for a logarithm")
    entries = np.rint(np.ldexp(np.log1p(np.arange(257) / 256) / scale_y, shift))
    return LogTable(tuple(map(int, entries)), round(math.ldexp(math.log(2) / scale_y, shift)), shift)
