"""New layouts of constant tensors that keep their quantization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .dtype import Array, DType, Shape
from .graph import Tensor
from .quant import QuantParams


def constant(name: str, values: Array, quant: QuantParams | None = None) -> Tensor:
    """A constant tensor of the values' own type."""
    return Tensor(name, values.shape, DType(values.dtype.name), quant, np.ascontiguousarray(values))


def real_values(tensor: Tensor) -> Array:
    """What a constant means: dequantized where it is quantized."""
    assert tensor.const is not None
    return tensor.const if tensor.quant is None else tensor.quant.dequantize(tensor.const)


def permute_constant(tensor: Tensor, perm: Sequence[int]) -> Tensor:
    """numpy.transpose; a per-channel axis moves along."""
    assert tensor.const is not None
    return constant(tensor.name, tensor.const.transpose(perm), with_axis(tensor.quant, list(perm).index))


def reshape_constant(tensor: Tensor, shape: Shape) -> Tensor:
    """numpy.reshape; a per-channel axis must survive with its size."""
    assert tensor.const is not None

    def moved(axis: int) -> int:
        before = int(np.prod(tensor.shape[:axis]))
        return next(j for j, d in enumerate(shape) if d == tensor.shape[axis] and int(np.prod(shape[:j])) == before)

    return constant(tensor.name, tensor.const.reshape(shape), with_axis(tensor.quant, moved))


def with_axis(quant: QuantParams | None, moved: Callable[[int], int]) -> QuantParams | None:
    if quant is None or quant.axis is None:
        return quant
    return replace(quant, axis=moved(quant.axis))
