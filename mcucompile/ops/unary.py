"""Functions of one value: 256-entry tables for 8-bit inputs, interpolated tables for 16-bit ones."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ..ir import Array, Arrays, Attribute, DType, Exporter, Node, Numerics, Op, ScaleRule, Shape, Tensor

STEP_BITS = 7  # a 16-bit input's table has an entry every 2**STEP_BITS stored values


@dataclass(frozen=True)
class Unary(Op):
    """y = function(x), element by element.

    Integers, after `fix`, with q the stored input and y the stored output:
    - int8 or uint8 input: `table` has 256 entries and y = table[q - low], low = -128 or 0. An entry is the result of
      DequantizeLinear, `function` in float64 and QuantizeLinear (float32 division, ties to even): exact.
    - int16 input: `table` has 513 entries of y's type. With i = (q + 32768) >> 7 and f = q & 127,
      y = table[i] + (((table[i+1] - table[i]) * f + 64) >> 7), in 32 bits. Against `function` it is wrong by at most
      one step plus (128 * scale_x)**2 / 8 * max|function''| / scale_y steps where the function is smooth, and plus
      32 * scale_x / scale_y * jump steps next to a kink where its slope jumps.
    """

    table: tuple[int, ...] | None = field(default=None, kw_only=True)

    scales = ScaleRule.FREE
    elementwise = True

    @abstractmethod
    def function(self, x: Array) -> Array:
        """The function on real numbers, in the array's own precision."""

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return shapes

    def reference(self, *args: Array) -> Arrays:
        return (self.function(args[0]).astype(args[0].dtype),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        x, y = node.inputs[0], node.output
        bits = self.tflite_table(x, y) if numerics is Numerics.TFLITE and x.dtype is DType.I8 else None
        entries = self.real_table(x, y) if bits is None else bits
        return replace(self, table=tuple(int(v) for v in entries))

    def real_table(self, x: Tensor, y: Tensor) -> Array:
        """The table from real numbers: `function` at every stored input, or at every 128th of an int16."""
        assert x.quant and y.quant
        reals = x.quant.dequantize(table_inputs(x.dtype)).astype(np.float64)
        return y.quant.quantize(self.function(reals).astype(np.float32))

    def tflite_table(self, x: Tensor, y: Tensor) -> Array | None:
        """The 256 entries that give TensorFlow Lite's bits for an int8 input; None where it has no such operator."""
        return None

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        assert self.table is not None
        return (look_up(np.asarray(self.table, np.int64), stored[0]).astype(node.output.dtype.numpy),)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        (y,) = export.node(self.onnx[0], [export.value(node.inputs[0])], 1, **self.onnx_attributes())
        export.result(node, y)

    def onnx_attributes(self) -> dict[str, Attribute]:
        return {}


def table_inputs(dtype: DType) -> Array:
    """The stored inputs at which a table has entries; an int16 table ends one beyond the largest."""
    step = 1 << STEP_BITS if dtype is DType.I16 else 1
    return np.arange(dtype.low, dtype.high + step, step)


def look_up(table: Array, stored: Array) -> Array:
    """The table at stored inputs, interpolated where the table is that of an int16."""
    if stored.dtype != np.int16:
        return np.take(table, stored.astype(np.int64) - np.iinfo(stored.dtype).min)
    position = stored.astype(np.int64) + (1 << 15)
    index, fraction = position >> STEP_BITS, position & ((1 << STEP_BITS) - 1)
    rise = (table[index + 1] - table[index]) * fraction
    return np.asarray(table[index] + ((rise + (1 << (STEP_BITS - 1))) >> STEP_BITS))
