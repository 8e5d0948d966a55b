"""Is a computed value never negative? Told from the operators before it."""

from __future__ import annotations

import numpy as np

from ..ir import Graph, Op, Tensor, real_values
from ..ops.average_pool import AveragePool
from ..ops.clamp import Clamp
from ..ops.dequantize import Dequantize
from ..ops.max_pool import MaxPool
from ..ops.mul import Mul
from ..ops.reduce_mean import ReduceMean
from ..ops.reshape import Reshape
from ..ops.transpose import Transpose

KEEP_SIGN: tuple[type[Op], ...] = (AveragePool, MaxPool, Mul, ReduceMean, Reshape, Transpose)


def is_nonnegative(graph: Graph, tensor: Tensor) -> bool:
    """True only where that is certain: limits, or integers that reach no lower than their zero point, lie before."""
    open_tensors = [tensor]
    while open_tensors:
        t = open_tensors.pop()
        maker = graph.producer(t)
        if t.const is not None:
            if np.any(real_values(t) < 0):
                return False
        elif maker is None:
            return False
        elif isinstance(maker.op, Clamp) and maker.op.clip.low >= 0:
            continue
        elif isinstance(maker.op, Dequantize):
            quant = maker.inputs[0].quant
            if quant is None or quant.zero > quant.dtype.low:
                open_tensors += limited_before(graph, maker.inputs[0])
        elif isinstance(maker.op, KEEP_SIGN):
            open_tensors += maker.inputs
        else:
            return False
    return True


def limited_before(graph: Graph, stored: Tensor) -> list[Tensor]:
    """What decides on the sign of a stored tensor: the real one that it was quantized from."""
    maker = graph.producer(stored)
    return list(maker.inputs) if maker else [stored]
