"""Activations without axes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model, reference, samples

from mcucompile import api


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("op_type", ["Mul", "Add", "Max"])
def test_two_scalars(op_type: str, dtype: str) -> None:
    shapes = {"a": (), "b": ()}
    source, data = model([helper.make_node(op_type, ["a", "b"], ["y"])], shapes, ["y"]), samples(shapes, 30)
    compiled = api.compile(source, BOARD, name="net", dtype=dtype, calibration=data)
    a, b = data.inputs["a"], data.inputs["b"]
    want = {"Mul": a * b, "Add": a + b, "Max": np.maximum(a, b)}[op_type]
    assert np.abs(reference(compiled, data) - want).max() < 0.05
