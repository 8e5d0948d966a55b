"""Gemm's term C is broadcast: only one value per output is a bias; operands may be computed, and transposed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model, oracle, reference, samples

from mcucompile import api
from mcucompile.ir import Array, Shape

RNG = np.random.default_rng(3)


def reals(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def check(source: bytes, shapes: dict[str, Shape], dtype: str) -> None:
    data = samples(shapes, 20)
    compiled = api.compile(source, BOARD, name="net", dtype=dtype, calibration=data)
    want, got = oracle(source, data), reference(compiled, data)
    tolerance = 1e-6 if dtype == "float32" else 0.03
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("shape", [(3, 1), (3, 3), (1, 3), (3,), (1,), (), (1, 1)])
def test_constant_term(shape: Shape, dtype: str) -> None:
    """The weights make as many outputs as there are rows, so that a column looks like a bias by its size."""
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], alpha=0.5, beta=2.0)
    source = model([node], {"x": (3, 4)}, ["y"], w=reals(4, 3), c=reals(*shape) * np.float32(3))
    check(source, {"x": (3, 4)}, dtype)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize(("trans_a", "trans_b"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_computed_operands(trans_a: int, trans_b: int, dtype: str) -> None:
    shapes = {"a": (4, 2) if trans_a else (2, 4), "b": (3, 4) if trans_b else (4, 3), "c": (2, 1)}
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], transA=trans_a, transB=trans_b, alpha=0.5, beta=-1.5)
    check(model([node], shapes, ["y"]), shapes, dtype)


def test_transposed_input() -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transA=1, transB=1)
    check(model([node], {"x": (4, 2)}, ["y"], w=reals(3, 4)), {"x": (4, 2)}, "int8")
