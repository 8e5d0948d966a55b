"""A border of -infinity before a MaxPool is padding; elsewhere it is listed as what cannot be compiled."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model, oracle, reference, samples

from mcucompile import api
from mcucompile.errors import CompileError

INFINITE = np.float32(-np.inf)
PADS = np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64)
PAD = helper.make_node("Pad", ["x", "p", "v"], ["t"], name="border")


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16x8"])
def test_becomes_padding(dtype: str) -> None:
    pool = helper.make_node("MaxPool", ["t"], ["y"], kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 0, 0])
    source, data = model([PAD, pool], {"x": (1, 2, 5, 4)}, ["y"], p=PADS, v=INFINITE), samples({"x": (1, 2, 5, 4)})
    compiled = api.compile(source, BOARD, name="net", dtype=dtype, calibration=data)
    assert "pad" not in [n.op.name for n in compiled.graph.nodes]
    limit = {"float32": 0.0, "int8": 0.03, "int16x8": 2e-4}[dtype]
    assert np.abs(reference(compiled, data) - oracle(source, data)).max() <= limit


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16x8"])
def test_elsewhere(dtype: str) -> None:
    relu = helper.make_node("Relu", ["t"], ["y"])
    source, data = model([PAD, relu], {"x": (1, 2, 5, 4)}, ["y"], p=PADS, v=INFINITE), samples({"x": (1, 2, 5, 4)})
    with pytest.raises(CompileError, match="a border of -inf") as error:
        api.compile(source, BOARD, name="net", dtype=dtype, calibration=data)
    assert error.value.code == "E0103"
    assert "border" in error.value.where


def test_window_in_the_padding() -> None:
    """A window of two taps with a hole as large as the image between them."""
    pool = helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[3, 3], pads=[1, 1, 1, 1], name="sparse"
    )
    with pytest.raises(CompileError, match="padding altogether") as error:
        api.compile(model([pool], {"x": (1, 2, 2, 2)}, ["y"]), BOARD, name="net", dtype="float32")
    assert error.value.code == "E0103"
    assert "sparse" in error.value.where
