"""Quant, BipolarQuant and Trunc of QONNX: rounding to a grid, on real numbers.

    Quant:         y = s * (round(clip(x / s + z, low, high)) - z), computed in float32
    BipolarQuant:  y = s where x >= 0, else -s
    Trunc:         y = s * round(round_half_even(x / s) / 2**t), t bits dropped

The definition is that of the package qonnx 1.0. A constant becomes the very integers that the definition gives, with
their scale. A computed value becomes Clamp, Quantize and Dequantize, so that the stored tensor keeps to the range of
its bits; a binary one becomes Sign, stored as int8, and Mul by its scale. Quantize rounds to nearest, so that the other
modes become an offset before it:

    floor(t) = nearest(t - 1/2 + e),  ceil(t) = nearest(t + 1/2 - e),  e = 2**-12

which is exact where t is a multiple of 2**-11, as it is behind a layer with scales that are powers of two, and wrong
elsewhere only for a t less than e below (above) an integer. HALF_UP and HALF_DOWN of unsigned integers are offsets of
e and -e in the same way; of signed ones their ties go to the even integer. With an odd zero point, ties of ROUND go the
other way. A note says so of every node that is concerned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..ir import Array, Clip, DType, OnnxNode, QuantParams, Tensor, Unsupported, constant
from ..ops.add import Add
from ..ops.clamp import Clamp
from ..ops.dequantize import Dequantize
from ..ops.mul import Mul
from ..ops.quantize import Quantize
from ..ops.sign import Sign
from .nonnegative import is_nonnegative
from .order import where_of
from .rounding import BY_SIGN, ROUNDS, Grid, deviation, integer_range, offset_of, storage
from .stored import narrowest
from .values import Values

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")
OPERATORS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")
CONSTANT_BITS, ACTIVATION_BITS = 32, 16


def import_node(values: Values, node: OnnxNode) -> None:
    """Raises Unsupported for every combination of attributes and inputs that has no integer form here."""
    if node.op_type == "BipolarQuant":
        bipolar(values, node, parameter(values, node, 1))
    elif node.op_type == "Trunc":
        truncate(values, node)
    else:
        quant(values, node)


def quant(values: Values, node: OnnxNode) -> None:
    scale, zero, bits = (parameter(values, node, i) for i in (1, 2, 3))
    signed, narrow = (flag(node, name) for name in ("signed", "narrow"))
    x = values.known(node.inputs[0])
    width = bit_width(bits, "bits", CONSTANT_BITS if x is not None else ACTIVATION_BITS)
    if width == 1 and signed:
        if np.any(zero):
            raise Unsupported("one signed bit with a zero point", "use BipolarQuant")
        bipolar(values, node, scale)
        return
    low, high = integer_range(width, signed, narrow)
    grid = Grid(scale, whole(zero), low, high, mode_of(node, "ROUND"))
    if x is not None:
        rounded_constant(values, node, grid.scale, grid.centred(floats(x)))
    else:
        rounded(values, node, values.input(node, 0), grid)


def bipolar(values: Values, node: OnnxNode, scale: Array) -> None:
    x = values.known(node.inputs[0])
    if x is not None:
        rounded_constant(values, node, scale, np.where(floats(x) >= 0, np.float32(1), np.float32(-1)))
        return
    if scale.size != 1:
        raise Unsupported("binary activations with a scale per channel", "use one scale per tensor")
    size = QuantParams.per_tensor(scale.item()).scale
    signs = values.emit(Sign(at_zero=1), values.input(node, 0))
    unit = stored_and_real(values, signs, Sign().fixed_quant(DType.I8))
    values.result(node, unit if size == 1 else values.emit(Mul(), unit, number(values, unit, size)))


def truncate(values: Values, node: OnnxNode) -> None:
    """With five inputs the result keeps the scale, with six it has one of its own and is limited to its bits."""
    t = truncation(values, node)
    x = values.known(node.inputs[0])
    if x is not None:
        kept = np.rint(floats(x) / t.inner) / np.float32(2.0**t.dropped)
        grid = replace(t.grid, scale=np.ones(1, np.float32))
        rounded_constant(values, node, t.grid.scale, grid.centred(np.asarray(kept)))
        return
    source = values.input(node, 0)
    factor = float(np.float32(t.grid.scale.item()) / np.float32(t.inner.item())) / 2.0**t.dropped
    if factor != 1:
        source = values.emit(Mul(), source, number(values, source, factor))
    rounded(values, node, source, t.grid, t.dropped)


class Truncation(NamedTuple):
    """The grid of the result, the scale of the input's grid, and how many of its bits are dropped."""

    grid: Grid
    inner: Array
    dropped: int


def truncation(values: Values, node: OnnxNode) -> Truncation:
    inner, zero, before = (parameter(values, node, i) for i in (1, 2, 3))
    mode = mode_of(node, "FLOOR")
    if np.any(zero) or inner.size != 1:
        raise Unsupported("a Trunc with a zero point or a scale per channel", "export with symmetric quantizers")
    bits_before = bit_width(before, "input bits", CONSTANT_BITS)
    nothing = np.zeros(1, np.float32)
    if len(node.inputs) <= 5:
        bits = bit_width(parameter(values, node, 4), "output bits", 8)
        if bits > bits_before:
            raise Unsupported(f"a Trunc from {bits_before} to {bits} bits")
        low, high = open_range(values, node, bits)
        return Truncation(Grid(inner, nothing, low, high, mode), inner, bits_before - bits)
    outer, bits = parameter(values, node, 4), bit_width(parameter(values, node, 5), "output bits", ACTIVATION_BITS)
    dropped = round(float(np.log2(outer.item() / inner.item())))
    if dropped < 0:
        raise Unsupported("a Trunc to a finer scale")
    low, high = integer_range(bits, node.integer("signed", 1) != 0, node.integer("narrow") != 0)
    return Truncation(Grid(outer, nothing, low, high, mode), inner, dropped)


def open_range(values: Values, node: OnnxNode, bits: int) -> tuple[int, int]:
    """A Trunc that does not say whether it is signed limits nothing: all that 8 bits hold."""
    if values.known(node.inputs[0]) is not None:
        return -(1 << 24), 1 << 24
    if bits == 8 and node.inputs[0] in values.tensors and is_nonnegative(values.graph, values.tensors[node.inputs[0]]):
        return 0, 255
    return -128, 127


def rounded_constant(values: Values, node: OnnxNode, scale: Array, centred: Array) -> None:
    """The constant as its integers, centred, which keeps a zero point per channel possible."""
    if not np.all(np.isfinite(centred)) or np.any(np.abs(centred) > DType.I32.high):
        raise Unsupported("a constant that is not finite, or needs more than 32 bits")
    stored = narrowest(centred.astype(np.int64))
    scales, axis = along_axis(scale, stored.shape)
    quant = QuantParams(tuple(float(s) for s in scales), 0, DType(stored.dtype.name), axis)
    values.result(node, constant(values.names.short(node.outputs[0]), stored, quant))


def rounded(values: Values, node: OnnxNode, x: Tensor, grid: Grid, dropped: int | None = None) -> None:
    """Limits, Quantize and Dequantize of a computed value; one with `dropped` is a multiple of 2**-dropped steps."""
    if x.dtype is not DType.F32:
        raise Unsupported("it reads stored integers", "put a DequantizeLinear before it")
    if grid.scale.size != 1 or grid.zero.size != 1:
        raise Unsupported("an activation with a scale or zero point per channel", "quantize activations per tensor")
    scale, zero = float(grid.scale.item()), int(grid.zero.item())
    quant = storage(scale, zero, grid.low, grid.high)
    limits = Clip(*(float(np.float32(bound - zero) * np.float32(scale)) for bound in (grid.low, grid.high)))
    offset, differs = offset_of(grid, dropped), deviation(grid, dropped)
    if differs:
        values.notes.append(f"{where_of(node)} asks for the rounding mode {grid.mode}: {differs}")
    if offset:
        x = unlimited(values, x, limits)
        x = values.emit(Add(), x, number(values, x, offset * scale))
    if (quant.dtype.low, quant.dtype.high) != (grid.low + quant.zero - zero, grid.high + quant.zero - zero):
        x = values.emit(Clamp(limits), x)
    values.result(node, stored_and_real(values, x, quant))


def stored_and_real(values: Values, x: Tensor, quant: QuantParams) -> Tensor:
    """The tensor, stored, as a real one again."""
    stored, real = Tensor("", x.shape, quant.dtype, quant), Tensor("", x.shape)
    values.append(Quantize(), [x], [stored])
    values.append(Dequantize(), [stored], [real])
    return real


def unlimited(values: Values, x: Tensor, limits: Clip) -> Tensor:
    """What a Relu or Clip reads that limits no more than these limits will anyway."""
    maker = values.graph.producer(x)
    while maker and isinstance(maker.op, Clamp) and limits.then(maker.op.clip) == limits:
        (x,) = maker.inputs
        maker = values.graph.producer(x)
    return x


def number(values: Values, like: Tensor, value: float) -> Tensor:
    return values.constant("offset", np.full((1,) * len(like.shape), value, np.float32))


# --- what a node says


def parameter(values: Values, node: OnnxNode, index: int) -> Array:
    """A constant float32 input."""
    if not node.has_input(index):
        raise Unsupported(f"input {index} is missing")
    known = values.known(node.inputs[index])
    if known is None or known.size == 0:
        fix = "export with fixed scales and bits"
        raise Unsupported(f"input {index} ('{node.inputs[index]}') is not constant", fix)
    return floats(known)


def floats(values: Array) -> Array:
    """As float32, where that is exact."""
    single = values.astype(np.float32)
    if values.dtype.kind not in "fiu" or not np.array_equal(single.astype(values.dtype), values, equal_nan=True):
        raise Unsupported(f"values of type {values.dtype.name} that are no float32", "store them as float32")
    return single


def flag(node: OnnxNode, name: str) -> bool:
    if name not in node.attributes or node.integer(name) not in (0, 1):
        raise Unsupported(f"attribute {name} is missing, or neither 0 nor 1")
    return node.integer(name) == 1


def bit_width(bits: Array, what: str, most: int) -> int:
    if bits.size != 1 or bits.item() not in range(1, most + 1):
        shown = ", ".join(f"{b:g}" for b in bits.ravel()[:4])
        raise Unsupported(f"{what}={shown}", f"use one whole number from 1 to {most}")
    return int(bits.item())


def whole(zero: Array) -> Array:
    if not np.all(np.abs(zero) < 1 << 24) or np.any(zero != np.rint(zero)):
        raise Unsupported("a zero point that is not a whole number", "export with integer zero points")
    return zero


def mode_of(node: OnnxNode, default: str) -> str:
    mode = node.string("rounding_mode", default).upper()
    if mode not in ROUNDS | BY_SIGN:
        raise Unsupported(f"the rounding mode {mode[:20]!r}", f"use one of {', '.join([*ROUNDS, *BY_SIGN])}")
    return mode


def along_axis(scale: Array, shape: tuple[int, ...]) -> tuple[Array, int | None]:
    """The scales and their axis in a tensor of that shape, where they broadcast along one axis only."""
    if scale.size == 1:
        return scale.ravel(), None
    full = (*(1,) * (len(shape) - scale.ndim), *scale.shape)
    axes = [i for i, d in enumerate(full) if d != 1]
    if len(full) != len(shape) or len(axes) != 1 or shape[axes[0]] != scale.size:
        fix = "use one scale per tensor or one per channel"
        raise Unsupported(f"scales of shape {list(scale.shape)} for values of shape {list(shape)}", fix)
    return scale.ravel(), axes[0]
