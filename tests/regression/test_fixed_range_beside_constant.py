"""A sigmoid's fixed scale must not become that of an output that holds other constants too."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import NodeProto, helper
from small_model import BOARD, model, oracle, reference, samples

from mcucompile import api
from mcucompile.ir import Array

SHAPE = (1, 2, 4, 4)
FAR = np.linspace(-3, 3, 32, dtype=np.float32).reshape(SHAPE)
BORDER = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)


@pytest.mark.parametrize("dtype", ["int8", "int16x8"])
@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Softmax"])
@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (helper.make_node("Concat", ["s", "c"], ["y"], axis=1), {"c": FAR}),
        (helper.make_node("Max", ["s", "c"], ["y"]), {"c": np.float32(2.5)}),
        (helper.make_node("Pad", ["s", "p", "c"], ["y"]), {"p": BORDER, "c": np.float32(-3)}),
    ],
    ids=["concat", "max", "pad"],
)
def test_output_covers_the_constant(node: NodeProto, constants: dict[str, Array], function: str, dtype: str) -> None:
    source = model([helper.make_node(function, ["x"], ["s"]), node], {"x": SHAPE}, ["y"], **constants)
    data = samples({"x": SHAPE})
    compiled = api.compile(source, BOARD, name="net", dtype=dtype, calibration=data, ranges="minmax")
    assert np.abs(reference(compiled, data) - oracle(source, data)).max() < 0.03


def test_moving_keeps_the_fixed_scale() -> None:
    nodes = [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Flatten", ["s"], ["y"])]
    data = samples({"x": SHAPE})
    compiled = api.compile(model(nodes, {"x": SHAPE}, ["y"]), BOARD, name="net", dtype="int8", calibration=data)
    quant = compiled.graph.outputs[0].quant
    assert quant
    assert quant.scale == 1 / 256
