"""An activation that calibration saw as zero only has some scale, so that what follows has one too."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model, oracle, reference, samples

from mcucompile import api
from mcucompile.ir import DType
from mcucompile.passes.calibrate.ranges import Range


@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
def test_range(dtype: DType) -> None:
    assert Range(0.0, 0.0).params(dtype).scale == 1.0


@pytest.mark.parametrize("dtype", ["int8", "int16x8"])
def test_difference_with_itself(dtype: str) -> None:
    nodes = [helper.make_node("Sub", ["x", "x"], ["d"]), helper.make_node("Add", ["d", "x"], ["y"])]
    source, data = model(nodes, {"x": (2, 3)}, ["y"]), samples({"x": (2, 3)})
    compiled = api.compile(source, BOARD, name="net", dtype=dtype, calibration=data)
    assert np.abs(reference(compiled, data) - oracle(source, data)).max() < 0.03
