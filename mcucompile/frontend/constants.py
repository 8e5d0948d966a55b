"""Constants on their way from a model file into the IR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, Op, Tensor, Unsupported, constant, permute_constant, real_values, reshape_constant
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose


def plain(tensor: Tensor) -> Array:
    """A constant as numbers: dequantized where it is quantized."""
    assert tensor.const is not None
    return tensor.const if tensor.quant is None else real_values(tensor)


def tensor_of(name: str, values: Array) -> Tensor:
    """Numbers as a constant of the IR: float32 or int64. Raises Unsupported for text and complex numbers."""
    kind = values.dtype.kind
    if kind in "iub":
        return constant(name, values.astype(np.int64))
    if kind in "f" or values.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        with np.errstate(over="ignore"):
            return constant(name, values.astype(np.float32))
    raise Unsupported(f"a constant of type {values.dtype.name}")


def folded(op: Op, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The operator computed now; one that only moves values leaves them quantized."""
    (x, *_) = inputs
    try:
        if isinstance(op, Transpose) and x.quant:
            return [permute_constant(renamed(x), op.perm)]
        if isinstance(op, Reshape) and x.quant:
            return [reshape_constant(renamed(x), op.shape)]
    except StopIteration:  # the axis of the scales does not survive
        pass
    return [constant("", np.asarray(y, np.float32)) for y in op.reference(*map(plain, inputs))]


def renamed(tensor: Tensor) -> Tensor:
    """The same constant, to be named later."""
    return Tensor("", tensor.shape, tensor.dtype, tensor.quant, tensor.const)
