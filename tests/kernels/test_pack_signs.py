"""Kernels of PackSigns and BinaryMaxPool."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from one_node import activation, case, check_thinned, zeros
from rig import Case

from mcucompile.ir import Array, DType, Shape, Tensor
from mcucompile.ops.binary_max_pool import BinaryMaxPool
from mcucompile.ops.bits import packed_shape
from mcucompile.ops.pack_signs import PackSigns
from mcucompile.ops.window import Window

SHAPES: tuple[Shape, ...] = (
    (1, 1),
    (5, 3),
    (2, 3, 32),
    (7, 33),
    (1, 4, 64),
    (3, 100),
    (3, 8),
    (2, 16),
    (5, 48),
    (1, 72),
)


def near_zero(shape: Shape, dtype: DType, zero: int, seed: int) -> Array:
    """Many values next to zero, and at it."""
    rng = np.random.default_rng(seed)
    if dtype is DType.F32:
        return rng.choice(np.asarray([-1.5, -1e-40, -0.0, 0.0, 1e-40, 2.0], np.float32), shape)
    near = rng.integers(zero - 2, zero + 3, shape)
    far = rng.integers(dtype.low, dtype.high + 1, shape)
    return np.clip(np.where(rng.random(shape) < 0.7, near, far), dtype.low, dtype.high).astype(dtype.numpy)


def pack_cases() -> list[Case]:
    cases = []
    for seed, (dtype, positive) in enumerate(product((DType.I8, DType.U8, DType.I16, DType.F32), (True, False))):
        for zero, shape in product(zeros(dtype), SHAPES):
            x, y = activation("x", shape, dtype, zero), Tensor("y", packed_shape(shape), DType.U32)
            samples = ({"x": near_zero(shape, dtype, zero, seed)},)
            name = f"pack {dtype.value} {positive} {zero} {shape}"
            cases.append(case(name, PackSigns(positive), [x], [y], samples=samples))
    return cases


def test_pack_signs() -> None:
    check_thinned(pack_cases(), 3)


POOLS: tuple[tuple[Shape, dict[str, Any]], ...] = (
    ((1, 4, 4, 2), {"kernel": (2, 2), "strides": (2, 2)}),
    ((2, 5, 7, 1), {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((1, 6, 5, 3), {"kernel": (2, 3), "strides": (1, 2), "pads": (0, 1, 1, 0), "dilations": (2, 1)}),
    ((1, 3, 4, 1), {"kernel": (3, 4)}),
)


def test_binary_max_pool() -> None:
    cases = []
    for shape, window in POOLS:
        op = BinaryMaxPool(Window(**window))
        x, y = Tensor("x", shape, DType.U32), Tensor("y", op.infer(shape)[0], DType.U32)
        rng = np.random.default_rng(0)
        samples = tuple(
            {"x": rng.integers(0, 1 << 32, shape, np.uint32) & rng.integers(0, 1 << 32, shape, np.uint32)}
            for _ in range(2)
        )
        cases.append(case(f"binary max pool {shape} {window}", op, [x], [y], samples=samples))
    check_thinned(cases, 1)
