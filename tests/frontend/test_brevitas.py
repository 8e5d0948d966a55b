"""Networks as Brevitas exports them compute what PyTorch computed, and become integer networks altogether."""

from pathlib import Path

import numpy as np
import pytest

from mcucompile.data import Samples
from mcucompile.frontend import load
from mcucompile.ir import DType
from mcucompile.options import Options
from mcucompile.pipeline import prepare
from mcucompile.reference import evaluate

FOLDER = Path(__file__).parents[1] / "models" / "brevitas"
# The share of outputs that may be another integer than PyTorch's: see tests/test_compressed_models.py.
DIFFERING = {"residual": 0.0, "plain": 0.05, "qcdq": 0.1, "binary": 0.0}


@pytest.mark.parametrize("name", DIFFERING)
def test_import_computes_the_same(name: str) -> None:
    graph, data = load(FOLDER / f"{name}.onnx").graph, np.load(FOLDER / f"{name}.npz")
    (x,), (y,) = graph.inputs, graph.outputs
    for image, wanted in zip(data["x"], data["y"], strict=True):
        np.testing.assert_allclose(evaluate(graph, {x.name: image[None]})[y.name][0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", DIFFERING)
def test_everything_becomes_integer(name: str) -> None:
    data = np.load(FOLDER / f"{name}.npz")
    name_of_input = load(FOLDER / f"{name}.onnx").graph.inputs[0].name
    graph = prepare(FOLDER / f"{name}.onnx", "network", Options(), Samples({name_of_input: data["x"][:, None]})).graph
    assert all(t.dtype is DType.I8 for t in graph.activations())
    (x,), (y,) = graph.inputs, graph.outputs
    assert x.quant and y.quant
    found = [evaluate(graph, {x.name: x.quant.quantize(image[None])})[y.name][0] for image in data["x"]]
    different = np.asarray(found) != y.quant.quantize(data["y"])
    assert different.mean() <= DIFFERING[name]
