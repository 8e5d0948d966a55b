"""Operators in the form of their old opsets mean what ONNX Runtime, which knows those opsets itself, computes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import assert_same_as_onnxruntime, floats, model, node

from mcucompile.errors import CompileError
from mcucompile.frontend import load

SHAPE = (1, 3, 4, 6)
F = np.float32

CASES: list[tuple[int, str, Sequence[str], dict[str, Any], dict[str, np.ndarray]]] = [
    (7, "Clip", ["x"], {"min": -0.5, "max": 0.25}, {}),
    (7, "Clip", ["x"], {"max": 0.25}, {}),
    (10, "Clip", ["x"], {}, {}),
    (11, "Clip", ["x", "low"], {}, {"low": F(-0.5)}),
    (12, "Clip", ["x", "", "high"], {}, {"high": F(0.5)}),
    (7, "Pad", ["x"], {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "value": 0.5}, {}),
    (10, "Pad", ["x"], {"pads": [0, 0, 1, 2, 0, 0, 3, -1]}, {}),
    (11, "Pad", ["x", "p", "v"], {}, {"p": np.asarray([0, 1, 0, 0, 0, 0, 0, 0]), "v": F(0.5)}),
    (18, "Pad", ["x", "p", "", "a"], {}, {"p": np.asarray([1, 2]), "a": np.asarray([-1])}),
    (7, "Squeeze", ["x"], {"axes": [0]}, {}),
    (7, "Squeeze", ["x"], {}, {}),
    (12, "Squeeze", ["x"], {"axes": [-4]}, {}),
    (13, "Squeeze", ["x", "a"], {}, {"a": np.asarray([0])}),
    (7, "Unsqueeze", ["x"], {"axes": [0, 5]}, {}),
    (13, "Unsqueeze", ["x", "a"], {}, {"a": np.asarray([-1])}),
    (7, "Slice", ["x"], {"starts": [1, -3], "ends": [2, 100], "axes": [1, 3]}, {}),
    (9, "Slice", ["x"], {"starts": [0, 1], "ends": [1, 3]}, {}),
    (10, "Slice", ["x", "s", "e", "a", "d"], {},
     {"s": np.asarray([5]), "e": np.asarray([-100]), "a": np.asarray([3]), "d": np.asarray([-2])}),
    (7, "ReduceMean", ["x"], {"axes": [2, 3], "keepdims": 0}, {}),
    (17, "ReduceMean", ["x"], {"axes": [-1]}, {}),
    (17, "ReduceMean", ["x"], {}, {}),
    (18, "ReduceMean", ["x", "a"], {"keepdims": 0}, {"a": np.asarray([1])}),
    (18, "ReduceMean", ["x"], {"noop_with_empty_axes": 1}, {}),
    (7, "Dropout", ["x"], {"ratio": 0.5}, {}),
    (12, "Dropout", ["x", "r"], {}, {"r": F(0.5)}),
    (7, "Upsample", ["x"], {"scales": [1.0, 1.0, 2.0, 3.0]}, {}),
    (9, "Upsample", ["x", "s"], {"mode": "nearest"}, {"s": np.asarray([1, 1, 3, 2], F)}),
    (10, "Resize", ["x", "s"], {}, {"s": np.asarray([1, 1, 2, 2], F)}),
    (11, "Resize", ["x", "roi", "s"], {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
     {"roi": np.asarray([], F), "s": np.asarray([1, 1, 2, 2], F)}),
    *[(7, op, ["x"], {}, {}) for op in ("Softmax", "LogSoftmax")],
    *[(opset, "Softmax", ["x"], {"axis": axis}, {}) for opset in (7, 11, 12, 13) for axis in (0, 1, 2, 3)],
    (11, "Softmax", ["x"], {"axis": -1}, {}),
    (7, "AveragePool", ["x"], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}, {}),
    (10, "AveragePool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}, {}),
    (7, "MaxPool", ["x"], {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}, {}),
    (12, "MaxPool", ["x"], {"kernel_shape": [2, 2], "dilations": [2, 2]}, {}),
    (7, "Flatten", ["x"], {"axis": 2}, {}),
    (7, "Gemm", ["flat", "w", "c"], {"alpha": 0.5}, {"w": np.ones((72, 2), F), "c": np.ones(2, F)}),
    (11, "Gemm", ["flat", "w"], {"transB": 1}, {"w": np.ones((2, 72), F)}),
]  # fmt: skip


@pytest.mark.parametrize(("opset", "op", "inputs", "attributes", "constants"), CASES)
def test_old_form(
    opset: int, op: str, inputs: Sequence[str], attributes: dict[str, Any], constants: dict[str, np.ndarray]
) -> None:
    x = floats("flat", 1, 72) if inputs[0] == "flat" else floats("x", *SHAPE)
    proto = model(
        [node(op, inputs, ["y"], **attributes)], [x], [("y", TensorProto.FLOAT, None)], opset, constants, ir_version=4
    )
    assert_same_as_onnxruntime(proto)


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_normalization(opset: int) -> None:
    rng = np.random.default_rng(0)
    constants = {k: rng.uniform(0.5, 2, 3).astype(F) for k in ("scale", "bias", "mean", "var")}
    proto = model(
        [node("BatchNormalization", ["x", *constants], ["y"], epsilon=1e-3)], [floats("x", *SHAPE)],
        [floats("y", *SHAPE)], opset, constants, ir_version=4,
    )  # fmt: skip
    assert_same_as_onnxruntime(proto)


@pytest.mark.parametrize(("opset", "parts"), [(7, None), (7, [1, 2, 3]), (13, [4, 2]), (18, None)])
def test_split(opset: int, parts: list[int] | None) -> None:
    outputs = ["a", "b", "c"][: len(parts) if parts else 3]
    attributes: dict[str, Any] = {"axis": 3}
    constants = {}
    if opset < 13 and parts:
        attributes["split"] = parts
    elif parts:
        constants["sizes"] = np.asarray(parts)
    elif opset >= 18:
        attributes["num_outputs"] = 3
    proto = model(
        [node("Split", ["x", *constants], outputs, **attributes)], [floats("x", *SHAPE)],
        [(o, TensorProto.FLOAT, None) for o in outputs], opset, constants, ir_version=4,
    )  # fmt: skip
    assert_same_as_onnxruntime(proto)


@pytest.mark.parametrize(
    ("opset", "attributes"), [(7, {"spatial": 0}), (14, {"training_mode": 1})], ids=["spatial", "training"]
)
def test_batch_normalization_that_is_not_for_inference(opset: int, attributes: dict[str, int]) -> None:
    constants = {k: np.ones(3, F) for k in ("scale", "bias", "mean", "var")}
    outputs = ["y", "m", "v"] if opset >= 14 else ["y"]
    proto = model(
        [node("BatchNormalization", ["x", *constants], outputs, **attributes)], [floats("x", *SHAPE)],
        [floats("y", *SHAPE)], opset, constants, ir_version=4,
    )  # fmt: skip
    with pytest.raises(CompileError) as caught:
        load(proto.SerializeToString())
    assert caught.value.code == "E0103"
