"""Graphs of one node with inputs to run them on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rig import Case, Tolerance, check, has_sanitizers

from mcucompile.ir import Array, DType, Graph, Node, Numerics, Op, QuantParams, Tensor, verify

SAMPLES = 2
SCALES = {DType.I8: 0.05, DType.U8: 0.05, DType.I16: 0.0005}


def activation(
    name: str, shape: Sequence[int], dtype: DType = DType.I8, zero: int = 0, scale: float | None = None
) -> Tensor:
    """A float32 tensor, or a quantized one."""
    if dtype is DType.F32:
        return Tensor(name, tuple(shape))
    return Tensor(name, tuple(shape), dtype, QuantParams.per_tensor(scale or SCALES[dtype], zero, dtype))


def fixed_constant(like: Tensor, values: Array) -> Tensor:
    """A constant of a tensor's type and scale."""
    return Tensor(like.name, values.shape, like.dtype, like.quant, np.ascontiguousarray(values, like.dtype.numpy))


def case(
    name: str,
    op: Op,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    numerics: Numerics = Numerics.ONNX,
    samples: Sequence[dict[str, Array]] = (),
    tolerance: Tolerance | None = None,
) -> Case:
    """The node with its fixed-point constants, and random inputs where none are given."""
    node = Node(op, list(inputs), list(outputs), (name,))
    if any(t.dtype.is_integer for t in (*inputs, *outputs)):
        node.op = op.fix(node, numerics)
    fed = list(dict.fromkeys(node.activations()))
    graph = Graph("one", fed, list(outputs), [node], numerics)
    verify(graph)
    given = tuple(samples) or tuple(random_sample(fed, seed) for seed in range(SAMPLES))
    return Case(name, graph, given, tolerance)


def random_sample(tensors: Sequence[Tensor], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {t.name: random_values(t.shape, t.dtype, rng) for t in tensors}


def random_values(shape: Sequence[int], dtype: DType, rng: np.random.Generator) -> Array:
    """Integers from the whole range with both ends among them, where there is room; floats around zero."""
    if dtype is DType.F32:
        return rng.normal(0, 2, shape).astype(np.float32)
    values = rng.integers(dtype.low, dtype.high + 1, shape).astype(dtype.numpy)
    flat = values.reshape(-1)
    flat[: flat.size // 2 : 7] = dtype.low
    flat[3 : flat.size // 2 : 7] = dtype.high
    return values


def zeros(dtype: DType) -> tuple[int, ...]:
    """Zero points worth a test."""
    return {DType.I8: (0, -128, 127, 3), DType.U8: (0, 128, 255), DType.I16: (0, 300), DType.F32: (0,)}[dtype]


def check_thinned(cases: Sequence[Case], boards_take: int) -> None:
    """All of the cases on the host; on the boards, which need seconds for what the host does at once, every n-th."""
    if has_sanitizers():
        check(cases, boards=())
    check(cases[::boards_take], host=False)
