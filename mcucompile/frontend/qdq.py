"""QuantizeLinear and DequantizeLinear of activations and constants, and Cast and Clip where they read stored integers.

Integers of 2 or 4 bits are stored as int8 that keep to their range; so are those of a QuantizeLinear behind which a
Clip narrows the range, as Brevitas writes quantizers of fewer than 8 bits (QCDQ).
"""

from __future__ import annotations

import numpy as np

from ..ir import Array, Clip, DType, OnnxNode, QuantParams, Tensor, Unsupported
from ..ops.clamp import Clamp
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from .stored import NARROW, element_type, parameters, quantized_constant
from .values import Values

FLOAT = 1  # ONNX's number of the type, in Cast's attribute


def quantize(values: Values, node: OnnxNode) -> None:
    x = values.input(node, 0)
    if node.integer("precision") not in (0, FLOAT):
        raise Unsupported("attribute precision", "export with scales and quantization in float32")
    default = element_type(node.integer("output_dtype")) if node.integer("output_dtype") else np.dtype(np.uint8)
    scale, zero = parameter(values, node, 1), zero_of(values, node, default)
    quant = parameters(node, scale, zero, x.shape)
    if x.dtype is not DType.F32 or quant.axis is not None:
        raise Unsupported(f"quantization of {x.dtype.value}, {scale.size} scales", "quantize activations per tensor")
    if zero.dtype.name in NARROW:
        x = values.emit(Clamp(real_limits(quant, *NARROW[zero.dtype.name])), x)
        values.narrow[node.outputs[0]] = zero.dtype
    y = Tensor("", x.shape, quant.dtype, quant)
    values.append(Quantize(), [x], [y])
    values.result(node, y)
    if zero.dtype.kind == "u":
        values.unsigned.add(node.outputs[0])


def real_limits(quant: QuantParams, low: int, high: int) -> Clip:
    """The real values of two stored integers."""
    return Clip(*(float(v) for v in quant.dequantize(np.asarray([low, high]))))


def limit(values: Values, node: OnnxNode, x: Tensor) -> None:
    """Clip of stored integers, whose limits are as the file stores them."""
    if x.quant is None:
        fix = "put the Clip before the QuantizeLinear"
        raise Unsupported("limits of stored integers whose scale is not known there", fix)
    whole, moved = (x.dtype.low, x.dtype.high), -x.dtype.low if node.inputs[0] in values.unsigned else 0
    given = (values.values(node, 1), values.values(node, 2))
    low, high = (
        end if v is None else int(np.clip(int(v.item()) - moved, *whole)) for v, end in zip(given, whole, strict=True)
    )
    values.result(node, values.emit(Clamp(real_limits(x.quant, low, high)), x))


def dequantize(values: Values, node: OnnxNode) -> None:
    name = node.inputs[0]
    if node.integer("output_dtype") not in (0, FLOAT):
        raise Unsupported("attribute output_dtype", "dequantize to float32")
    if name in values.constants:
        stored = values.constants[name]
        zero = zero_of(values, node, stored.dtype)
        tensor = quantized_constant(values.names.short(node.outputs[0]), node, stored, parameter(values, node, 1), zero)
        values.result(node, tensor)
        return
    x = values.input(node, 0)
    wide = np.dtype(f"uint{8 * x.dtype.nbytes}") if name in values.unsigned else x.dtype.numpy
    stored_type = values.narrow.get(name, wide)
    zero = zero_of(values, node, stored_type)
    if zero.dtype != stored_type:
        raise Unsupported(f"a zero point of type {zero.dtype.name} for '{name}', which is {stored_type.name}")
    real(values, node, x, parameters(node, parameter(values, node, 1), zero, x.shape))


def real(values: Values, node: OnnxNode, x: Tensor, quant: QuantParams) -> None:
    """The node reads x as real numbers, which says what x means."""
    if quant.axis is not None or x.quant not in (None, quant):
        fix = "use one scale and zero point per tensor"
        raise Unsupported(f"it reads '{node.inputs[0]}' otherwise than that was quantized", fix)
    x.quant = quant
    y = Tensor("", x.shape)
    values.append(Dequantize(), [x], [y])
    values.result(node, y)


def cast(values: Values, node: OnnxNode, x: Tensor) -> None:
    """Stored integers as real numbers of the same value: scale 1, and the zero point where uint8 begins."""
    if node.integer("to") != FLOAT:
        raise Unsupported("a cast of stored integers to another type than float32")
    zero = x.dtype.low if node.inputs[0] in values.unsigned else 0
    real(values, node, x, QuantParams((1.0,), zero, x.dtype))


def parameter(values: Values, node: OnnxNode, index: int) -> Array:
    name = node.inputs[index] if node.has_input(index) else ""
    if name not in values.constants or values.constants[name].size == 0:
        raise Unsupported("a scale or zero point that is not constant", "use static quantization")
    return values.constants[name]


def zero_of(values: Values, node: OnnxNode, default: np.dtype[np.generic]) -> Array:
    """The zero point; an absent one is 0 of the default type."""
    return parameter(values, node, 2) if node.has_input(2) else np.zeros(1, default)
