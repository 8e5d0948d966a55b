"""C makes an int32 of the scaled sum before it saturates: scales for which that would wrap are refused, no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_model import BOARD, quantized, run_on_host

from mcucompile import api
from mcucompile.errors import CompileError
from mcucompile.ir import DType, Requant, Rounding
from mcucompile.run.host import find_host_compiler

LIMIT = (1 << 31) - 1


@pytest.mark.parametrize(("bound", "zero", "fits"), [(1 << 30, 0, True), (1 << 30, -128, True), (LIMIT, -128, False)])
def test_half_up_at_factor_one(bound: int, zero: int, fits: bool) -> None:
    assert Requant((1 << 30,), (30,)).fits_int32([bound], zero) is fits


def test_half_up_at_factor_eight() -> None:
    eight = Requant((1 << 30,), (27,))
    assert eight.fits_int32([(1 << 28) - 1000], 0)
    assert not eight.fits_int32([1 << 28], 0)


def test_gemmlowp_shifts_sums_to_the_left_before_it_multiplies() -> None:
    """Factor 8 is a shift by 4 and a multiplier of 1/2: already the shifted sum must fit."""
    eight = Requant((1 << 30,), (27,), Rounding.GEMMLOWP)
    assert eight.fits_int32([(1 << 27) - 1], 0)
    assert not eight.fits_int32([1 << 27], 0)


def test_each_channel_has_its_own_bound() -> None:
    factors = Requant((1 << 30, 1 << 30), (20, 40))  # 1024 and 2**-10
    assert factors.fits_int32([1000, 1 << 30], 0)
    assert not factors.fits_int32([1 << 30, 1000], 0)


@pytest.mark.parametrize(("op_type", "operands"), [("MatMul", "ab"), ("Mul", "ab"), ("GlobalAveragePool", "a")])
@pytest.mark.parametrize("numerics", ["onnx", "tflite"])
def test_absurdly_small_scale(op_type: str, operands: str, numerics: str) -> None:
    source = quantized(op_type, list(operands), (1, 3, 3, 3), np.int8, 0.05, 1e-9)
    with pytest.raises(CompileError, match=r"scale 1e-09 is too small") as error:
        api.compile(source, BOARD, name="net", numerics=numerics)
    assert error.value.code == "E0204"
    assert "the_node" in error.value.where


def test_absurdly_small_scale_of_an_int16_product() -> None:
    """2**30 * 4e-8 / 1e-12 is 4e13."""
    with pytest.raises(CompileError) as error:
        api.compile(quantized("Mul", ["a", "b"], (1, 4), np.int16, 2e-4, 1e-12), BOARD, name="net")
    assert error.value.code == "E0204"


@pytest.mark.skipif(not find_host_compiler(), reason="needs a C compiler for the host")
@pytest.mark.parametrize("y_scale", [2.1e-8, 1.9e-8])
def test_the_smallest_scale_that_is_taken_saturates(y_scale: float, tmp_path: Path) -> None:
    """Products reach 2**14 * 0.0025 = 40.96, which is 2**31 steps of 1.907e-8."""
    source = quantized("Mul", ["a", "b"], (1, 4), np.int8, 0.05, y_scale)
    if y_scale < 1.907e-8:
        with pytest.raises(CompileError):
            api.compile(source, BOARD, name="net")
        return
    compiled = api.compile(source, BOARD, name="net")
    values = {"a": np.array([[-128, -128, 127, 0]], np.int8), "b": np.array([[-128, 127, 127, 127]], np.int8)}
    assert run_on_host(compiled, values, tmp_path).tolist() == [[127, -128, 127, 0]]


def test_int16_operands_with_large_zero_points() -> None:
    with pytest.raises(CompileError, match="zero points -20000 and -20000") as error:
        api.compile(quantized("Mul", ["a", "b"], (1, 4), np.int16, 1e-4, 1e-4, -20000), BOARD, name="net")
    assert error.value.code == "E0204"
    assert "the_node" in error.value.where


@pytest.mark.skipif(not find_host_compiler(), reason="needs a C compiler for the host")
def test_int16_zero_point_that_leaves_no_room_in_the_high_word(tmp_path: Path) -> None:
    """A zero point shifted to the left by the requantization's shift must stay an int32 too."""
    source = quantized("GlobalAveragePool", ["a"], (1, 2, 3, 3), np.int16, 1e-4, 10.0, 30000)
    compiled = api.compile(source, BOARD, name="net")
    assert compiled.graph.outputs[0].dtype is DType.I16
    stored = np.full((1, 2, 3, 3), -32768, np.int16)
    # (-32768 - 30000) * 1e-4 / 10 = -0.63 steps from the zero point
    assert run_on_host(compiled, {"a": stored}, tmp_path).ravel().tolist() == [29999, 29999]
