"""Samples given as an object are checked as a file's, and named as in the model or as in the C."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model, quantized

from mcucompile import api
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.ir import Array

NAME = "image/in:0"  # no C identifier
SOURCE = model([helper.make_node("Relu", [NAME], ["y"])], {NAME: (1, 3)}, ["y"])
VALUES = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 1, 3)


def compiled_with(inputs: dict[str, Array], labels: Array | None = None) -> api.Compiled:
    return api.compile(SOURCE, BOARD, name="net", calibration=Samples(inputs, labels))


@pytest.mark.parametrize("name", [NAME, "image_in_0", "x"])
@pytest.mark.parametrize("values", [VALUES, VALUES[:, 0].astype(np.float64)])
def test_names_and_shapes(name: str, values: Array) -> None:
    compiled = compiled_with({name: values})
    stored = compiled.stored_inputs(Samples({name: values}))
    assert stored["image_in_0"].shape == (4, 1, 3)
    metrics = compiled.metrics(compiled.expected(stored), Samples({name: values}))
    assert list(metrics) == ["y"]


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ({"other": VALUES}, "no array for the input"),
        ({NAME: VALUES[..., :2]}, "has shape"),
        ({NAME: VALUES[:0]}, "no samples"),
        ({NAME: np.where(VALUES > 0, np.nan, VALUES)}, "NaN or infinity"),
        ({NAME: np.array(["a"])}, "has shape"),
        ({}, "no array for the input"),
    ],
)
def test_misfits(inputs: dict[str, Array], match: str) -> None:
    with pytest.raises(CompileError, match=match) as error:
        compiled_with(inputs)
    assert error.value.code == "E0202"


def test_as_many_labels_as_samples() -> None:
    with pytest.raises(CompileError, match="number of samples"):
        compiled_with({NAME: VALUES}, np.zeros(3, np.int64))


@pytest.mark.parametrize("values", [np.array([[[0.5, -0.25, 9.0]]], np.float32), np.array([[[10, -5, 127]]], np.int8)])
def test_real_or_stored_values_for_a_quantized_input(values: Array) -> None:
    """The file's input is real, the network's is the integer behind its QuantizeLinear."""
    compiled = api.compile(quantized("Relu", ["a"], (1, 3), np.int8, 0.05, 0.05), BOARD, name="net")
    assert compiled.stored_inputs(Samples({"a": values}))["a"].tolist() == [[[10, -5, 127]]]
