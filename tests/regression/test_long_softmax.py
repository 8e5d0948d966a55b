"""A softmax over more values than its fixed point has bits for is refused, as a layer and not as a broken invariant."""

from __future__ import annotations

import pytest
from onnx import helper
from small_model import BOARD, model, samples

from mcucompile import api
from mcucompile.errors import CompileError


@pytest.mark.parametrize("dtype", ["int8", "int16x8"])
def test_too_long_for_integers(dtype: str) -> None:
    node = helper.make_node("Softmax", ["x"], ["y"], name="long_row")
    source, shapes = model([node], {"x": (1, 40000)}, ["y"]), {"x": (1, 40000)}
    with pytest.raises(CompileError, match=r"softmax over 40,000") as error:
        api.compile(source, BOARD, name="net", dtype=dtype, calibration=samples(shapes, 2))
    assert error.value.code == "E0103"
    assert "long_row" in error.value.where
