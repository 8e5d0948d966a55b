"""QuantizeLinear and DequantizeLinear: what a stored integer means.

In ONNX the meaning of an integer tensor stands in the DequantizeLinear that reads it; in the IR it is the tensor's own.
uint8 becomes int8 with the zero point moved by 128: the same real values, and kernels for one type.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import helper

from ..ir import Array, DType, OnnxNode, QuantParams, Shape, Tensor, Unsupported, constant

SIGNED = {np.dtype(np.uint8): (np.int8, 128), np.dtype(np.uint16): (np.int16, 32768)}
NARROW = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}  # stored as int8, in their range
STORED = {np.dtype(np.int8): DType.I8, np.dtype(np.int16): DType.I16, np.dtype(np.int32): DType.I32}


def element_type(number: int) -> np.dtype[np.generic]:
    """numpy's type for ONNX's number of an element type."""
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(number))
    except (KeyError, ValueError, TypeError) as error:
        raise Unsupported(f"element type {number}") from error


def signed(values: Array) -> tuple[Array, int]:
    """Stored integers in a signed type, and what was subtracted for that. Raises Unsupported for other types."""
    if values.dtype.name in NARROW:
        return values.astype(np.int8), 0
    dtype, shift = SIGNED.get(values.dtype, (values.dtype, 0))
    if np.dtype(dtype) not in STORED:
        raise Unsupported(f"quantized values of type {values.dtype.name}", "quantize to int8, uint8 or int16")
    return (values.astype(np.int32) - shift).astype(dtype), shift


def parameters(node: OnnxNode, scale: Array, zero: Array, shape: Shape) -> QuantParams:
    """What a Quantize- or DequantizeLinear node says about a tensor of that shape, in a signed type."""
    if node.integer("block_size"):
        raise Unsupported("blocked quantization", "quantize per tensor or per channel")
    if scale.dtype != np.float32:
        raise Unsupported(f"scales of type {scale.dtype.name}", "store scales as float32")
    zeros, _ = signed(zero)
    dtype = STORED[zeros.dtype]
    moved = zeros.astype(np.int64).ravel()
    if scale.size == 1:
        return QuantParams((float(scale.ravel()[0]),), int(moved[0]), dtype)
    axis = node.integer("axis", 1)
    if not -len(shape) <= axis < len(shape) or shape[axis] != scale.size or moved.size not in (1, scale.size):
        raise Unsupported(f"{scale.size} scales along axis {axis} of {list(shape)}")
    if moved.any():
        raise Unsupported("an activation with a zero point per channel", "quantize activations per tensor")
    return QuantParams(tuple(float(s) for s in scale.ravel()), 0, dtype, axis % len(shape))


def quantized_constant(name: str, node: OnnxNode, values: Array, scale: Array, zero: Array) -> Tensor:
    """The constant that a DequantizeLinear reads. With a zero point per channel, values are stored centred."""
    stored, _ = signed(values)
    if zero.size > 1 and np.any(signed(zero)[0]):
        stored = centred(stored, signed(zero)[0], node.integer("axis", 1))
        zero = np.zeros(1, stored.dtype)
    elif zero.dtype.name in NARROW:
        zero = zero.astype(np.int8)
    quant = parameters(node, scale, zero, stored.shape)
    return constant(name, stored, replace(quant, dtype=STORED[stored.dtype]))


def centred(stored: Array, zeros: Array, axis: int) -> Array:
    """q - zero[c], as int8 where it fits, else int16."""
    shape = [1] * stored.ndim
    if not -stored.ndim <= axis < stored.ndim or stored.shape[axis] != zeros.size:
        raise Unsupported(f"{zeros.size} zero points along axis {axis} of {list(stored.shape)}")
    shape[axis] = zeros.size
    values = stored.astype(np.int64) - zeros.astype(np.int64).reshape(shape)
    return narrowest(values)


def narrowest(values: Array) -> Array:
    """As int8 where every value fits, else int16, else int32."""
    fits = next(
        t
        for t in (np.int8, np.int16, np.int32)
        if np.iinfo(t).min <= values.min(initial=0) and values.max(initial=0) <= np.iinfo(t).max
    )
    return values.astype(fits)
