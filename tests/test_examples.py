"""The shipped digits example is what its README says: accuracy, names, shapes, and a test set that was held out."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, ValueInfoProto

FOLDER = Path(__file__).parents[1] / "examples" / "digits"


@pytest.fixture(scope="module")
def model() -> ModelProto:
    return onnx.load(FOLDER / "digits.onnx")


@pytest.fixture(scope="module")
def calibration() -> np.ndarray:
    with np.load(FOLDER / "calibration.npz") as arrays:
        assert arrays.files == ["image"]
        return arrays["image"]


@pytest.fixture(scope="module")
def test_set() -> tuple[np.ndarray, np.ndarray]:
    with np.load(FOLDER / "test.npz") as arrays:
        assert arrays.files == ["image", "y"]
        return arrays["image"], arrays["y"]


def test_accuracy_is_the_one_in_the_readme(test_set: tuple[np.ndarray, np.ndarray]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="accuracy is measured with onnxruntime: not installed")
    session = onnxruntime.InferenceSession(FOLDER / "digits.onnx", providers=["CPUExecutionProvider"])
    images, labels = test_set
    scores = np.concatenate([session.run(["scores"], {"image": image[None]})[0] for image in images])
    correct = int(np.sum(scores.argmax(axis=1) == labels))
    stated = re.search(r"(\d+) of 500 \((0\.\d{3})\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert stated is not None
    assert (correct, f"{correct / 500:.3f}") == (int(stated[1]), stated[2])
    assert correct / 500 >= 0.97
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_images_are_0_to_1_in_the_shape_of_the_input(
    calibration: np.ndarray, test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    assert calibration.shape == (100, 1, 28, 28)
    assert test_set[0].shape == (500, 1, 28, 28)
    for images in (calibration, test_set[0]):
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)


def test_every_digit_is_held_out_equally_often(test_set: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.bincount(test_set[1]).tolist() == [50] * 10


def test_calibration_and_test_images_are_disjoint(
    calibration: np.ndarray, test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    images = {image.tobytes() for image in np.concatenate([calibration, test_set[0]])}
    assert len(images) == 600


def test_model_has_the_documented_interface(model: ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert [_name_type_shape(value) for value in model.graph.input] == [
        ("image", onnx.TensorProto.FLOAT, [1, 1, 28, 28])
    ]
    assert [_name_type_shape(value) for value in model.graph.output] == [("scores", onnx.TensorProto.FLOAT, [1, 10])]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.ir_version <= 10


def _name_type_shape(value: ValueInfoProto) -> tuple[str, int, list[int]]:
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [dimension.dim_value for dimension in tensor.shape.dim]


def test_model_looks_like_what_runs_on_microcontrollers(model: ModelProto) -> None:
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("Add") == 1
    assert operators.count("Conv") == operators.count("BatchNormalization") == operators.count("Relu") == 9
    assert {"MaxPool", "GlobalAveragePool", "Gemm"} <= set(operators)
    assert operators[-1] == "Softmax"
    assert 10_000 <= sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer) <= 30_000


def test_nodes_are_named_and_carry_nothing_of_the_training_machine(model: ModelProto) -> None:
    names = [node.name for node in model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert "/block3/depthwise/conv/Conv" in names
    assert not any([model.doc_string, model.metadata_props, model.graph.doc_string])
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_example_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 300_000
