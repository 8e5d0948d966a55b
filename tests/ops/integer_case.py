"""One operator on stored integers against the real-valued formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcucompile.ir import Array, DType, Node, Numerics, Op, QuantParams, Tensor, verify
from mcucompile.ir.graph import Graph


def stored_tensor(name: str, shape: Sequence[int], scale: float, zero: int = 0, dtype: DType = DType.I8) -> Tensor:
    return Tensor(name, tuple(shape), dtype, QuantParams.per_tensor(scale, zero, dtype))


def fixed_node(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor], numerics: Numerics = Numerics.ONNX) -> Node:
    """The node with its fixed-point constants, verified as part of a graph."""
    node = Node(op, list(inputs), list(outputs), ("node",))
    node.op = op.fix(node, numerics)
    verify(Graph("one", [*dict.fromkeys(node.activations())], list(outputs), [node], numerics))
    return node


def random_stored(tensor: Tensor, seed: int = 0) -> Array:
    """Values of the whole range, its ends first."""
    if tensor.const is not None:
        return tensor.const
    values = np.random.default_rng(seed).integers(tensor.dtype.low, tensor.dtype.high + 1, tensor.shape)
    values.reshape(-1)[:2] = (tensor.dtype.low, tensor.dtype.high)[: min(2, values.size)]
    return values.astype(tensor.dtype.numpy)


def every_value(dtype: DType) -> Array:
    return np.arange(dtype.low, dtype.high + 1).astype(dtype.numpy)


def real(tensor: Tensor, stored: Array) -> Array:
    """What stored integers mean, in float64."""
    assert tensor.quant
    return (stored.astype(np.float64) - tensor.quant.zero) * tensor.quant.scales[0]


def errors(node: Node, *stored: Array) -> list[Array]:
    """How far the stored results are from the real-valued formula on an unlimited, unrounded scale, in steps.

    A formula's result outside the range counts as the end of the range.
    """
    expected = node.op.reference(*(real(t, v) for t, v in zip(node.inputs, stored, strict=True)))
    found = []
    for got, want, t in zip(node.op.reference_int(node, *stored), expected, node.outputs, strict=True):
        assert got.dtype == t.dtype.numpy
        assert got.shape == t.shape
        assert t.quant
        exact = np.clip(want / t.quant.scale + t.quant.zero, t.dtype.low, t.dtype.high)
        found.append(np.abs(got - exact))
    return found


def worst_error(node: Node, *stored: Array) -> float:
    return float(max(e.max() for e in errors(node, *stored)))
