"""The committed networks are what `make.py` gives, and mean the same to two independent runtimes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime = pytest.importorskip("onnxruntime", reason="the networks are made and run by onnxruntime: not installed")

FOLDER = Path(__file__).parent
FLOAT = ["classifier", "multi_io", "conv1d_shapes", "opset7", "opset9", "activations"]
COMPRESSED = [
    "qonnx_w4a4", "qonnx_w2a4", "qonnx_binary", "qonnx_trunc", "classifier_qcdq", "classifier_int4", "weights_int4",
]  # fmt: skip
QUANTIZED = ["classifier_qdq_int8", "classifier_qdq_uint8"]
MADE_WITH_ONNXRUNTIME = "1.31"


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `make.py` has just written."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-B", FOLDER / "make.py", "--output", folder], check=True, capture_output=True)
    return folder


def test_script_makes_exactly_the_committed_files(remade: Path) -> None:
    committed = {path.name for path in FOLDER.glob("*.onnx")}
    assert {path.name for path in remade.glob("*.onnx")} == committed
    assert committed == {f"{name}.onnx" for name in FLOAT + QUANTIZED + COMPRESSED}


@pytest.mark.parametrize("name", FLOAT + COMPRESSED)
def test_network_is_reproduced(remade: Path, name: str) -> None:
    assert onnx.load(remade / f"{name}.onnx") == onnx.load(FOLDER / f"{name}.onnx")


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_network_is_reproduced(remade: Path, name: str) -> None:
    """Calibration sums floats in an order that depends on the processor, so scales may differ in their last bits."""
    if not onnxruntime.__version__.startswith(MADE_WITH_ONNXRUNTIME + "."):
        pytest.skip(f"made by the quantizer of onnxruntime {MADE_WITH_ONNXRUNTIME}, not {onnxruntime.__version__}")
    made, committed = onnx.load(remade / f"{name}.onnx"), onnx.load(FOLDER / f"{name}.onnx")
    for ours, theirs in zip(made.graph.initializer, committed.graph.initializer, strict=True):
        assert ours.name == theirs.name
        _assert_equal_up_to_calibration(numpy_helper.to_array(ours), numpy_helper.to_array(theirs))
    made.graph.ClearField("initializer")
    committed.graph.ClearField("initializer")
    assert made == committed


def _assert_equal_up_to_calibration(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == theirs.dtype
    if ours.dtype == np.float32:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    else:
        np.testing.assert_allclose(ours.astype(np.int64), theirs.astype(np.int64), rtol=0, atol=1)


@pytest.mark.parametrize("name", FLOAT + QUANTIZED + COMPRESSED)
def test_network_is_small(name: str) -> None:
    assert (FOLDER / f"{name}.onnx").stat().st_size < 16 * 1024


# onnx.reference takes BatchNormalization below opset 14 for training, and has no DequantizeLinear below 19.
@pytest.mark.parametrize("name", ["classifier", "multi_io", "conv1d_shapes", "activations"])
def test_two_runtimes_agree(name: str) -> None:
    model = onnx.load(FOLDER / f"{name}.onnx")
    feed = _feed(model)
    found = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)
    for value, ours, theirs in zip(model.graph.output, found, ReferenceEvaluator(model).run(None, feed), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=value.name)


def _feed(model: ModelProto) -> dict[str, np.ndarray]:
    """Random inputs in -1..1."""
    rng = np.random.RandomState(7)
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    return {name: rng.uniform(-1, 1, size=shape).astype(np.float32) for name, shape in shapes.items()}
