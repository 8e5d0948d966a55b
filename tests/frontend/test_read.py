"""A file that cannot be read is an error that says so; a file in an unusual form is read."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import assert_same_as_onnxruntime, floats, model, node

from mcucompile.errors import CompileError
from mcucompile.frontend import load


def relu() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], [floats("x", 1, 4)], [floats("y", 1, 4)])


def refused(data: bytes | Path | ModelProto) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load(data.SerializeToString() if isinstance(data, ModelProto) else data)
    return caught.value


@pytest.mark.parametrize("data", [b"", b"\0", b"no model at all", bytes(range(256)) * 40, b"\x08\x07"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    assert refused(data).code == "E0101"


def test_missing_file_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "absent.onnx")
    assert error.code == "E0702" and "absent.onnx" in error.where


def test_folder_is_no_model(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "E0702"


def test_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(5 << 30)
    assert refused(path).code == "E0105"


@pytest.mark.parametrize("opset", [1, 6, 26, 1000])
def test_opset_out_of_range(opset: int) -> None:
    proto = relu()
    proto.opset_import[0].version = opset
    error = refused(proto)
    assert error.code == "E0106" and str(opset) in error.what


def test_no_opset() -> None:
    proto = relu()
    del proto.opset_import[:]
    assert refused(proto).code == "E0106"


def test_ir_version_of_the_future() -> None:
    proto = relu()
    proto.ir_version = 1000
    assert refused(proto).code == "E0106"


def test_value_defined_twice() -> None:
    proto = model([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], [floats("x", 1, 4)], [floats("y", 1, 4)])
    error = refused(proto)
    assert error.code == "E0102" and "'y'" in error.what and "Neg" in error.where


def test_input_computed_by_a_node() -> None:
    proto = model([node("Relu", ["y"], ["x"])], [floats("x", 1, 4), floats("y", 1, 4)], [floats("x", 1, 4)])
    assert refused(proto).code == "E0102"


def test_two_initializers_of_one_name() -> None:
    proto = relu()
    for value in (1, 2):
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray([value], np.float32), "w"))
    assert refused(proto).code == "E0102"


def test_missing_initializer() -> None:
    proto = model([node("Add", ["x", "bias"], ["y"])], [floats("x", 1, 4)], [floats("y", 1, 4)])
    error = refused(proto)
    assert error.code == "E0102" and "'bias'" in error.what and "y/Add" in error.where


def test_output_that_nobody_computes() -> None:
    proto = model([node("Relu", ["x"], ["z"])], [floats("x", 1, 4)], [floats("y", 1, 4)])
    assert refused(proto).code == "E0102"


def test_cycle() -> None:
    nodes = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])]
    assert refused(model(nodes, [floats("x", 1, 4)], [floats("b", 1, 4)])).code == "E0102"


def test_node_that_reads_itself() -> None:
    assert refused(model([node("Add", ["x", "y"], ["y"])], [floats("x", 4)], [floats("y", 4)])).code == "E0102"


def test_nodes_in_the_wrong_order_are_sorted() -> None:
    nodes = [node("Relu", ["a"], ["y"]), node("Sigmoid", ["x"], ["a"])]
    graph = load(model(nodes, [floats("x", 1, 4)], [floats("y", 1, 4)]).SerializeToString()).graph
    assert [n.op.name for n in graph.nodes] == ["sigmoid", "clamp"]


def test_name_that_is_not_text() -> None:
    data = relu().SerializeToString().replace(b"y/Relu", b"\xff\xfe\xfd\xfc\xfb\xfa")
    assert refused(data).code == "E0101"


def test_nodes_without_names_are_named_after_their_output() -> None:
    proto = model([node("Einsum", ["x"], ["y"], equation="ij->ji")], [floats("x", 1, 4)], [floats("y", 4, 1)])
    proto.graph.node[0].name = ""
    assert "Einsum 'y'" in refused(proto).where


class TestTensors:
    """Initializers as damaged files hold them."""

    def with_weights(self, tensor: TensorProto) -> ModelProto:
        proto = model([node("Add", ["x", "w"], ["y"])], [floats("x", 1, 4)], [floats("y", 1, 4)])
        proto.graph.initializer.append(tensor)
        return proto

    def tensor(self) -> TensorProto:
        return numpy_helper.from_array(np.ones((1, 4), np.float32), "w")

    def test_data_shorter_than_the_shape(self) -> None:
        tensor = self.tensor()
        tensor.raw_data = tensor.raw_data[:7]
        error = refused(self.with_weights(tensor))
        assert error.code == "E0101" and "'w'" in error.where

    def test_unknown_element_type(self) -> None:
        tensor = self.tensor()
        tensor.data_type = 99
        assert refused(self.with_weights(tensor)).code == "E0101"

    def test_negative_dimension(self) -> None:
        tensor = self.tensor()
        tensor.dims[0] = -1
        assert refused(self.with_weights(tensor)).code == "E0107"

    @pytest.mark.parametrize("dims", [[1 << 40], [1 << 16, 1 << 16], [3 << 30, 1]])
    def test_huge_shape_is_refused_before_anything_is_allocated(self, dims: list[int]) -> None:
        tensor = TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT)
        assert refused(self.with_weights(tensor)).code == "E0105"

    def test_many_large_tensors(self) -> None:
        proto = self.with_weights(self.tensor())
        for i in range(6):
            values = np.zeros(15 << 20, np.float32)
            proto.graph.initializer.append(numpy_helper.from_array(values, f"big{i}"))
        assert refused(proto).code == "E0105"

    def external(self, location: str) -> ModelProto:
        tensor = TensorProto(name="w", dims=[1, 4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        return self.with_weights(tensor)

    def test_external_data_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "weights.bin").write_bytes(np.arange(4, dtype="<f4").tobytes())
        (tmp_path / "m.onnx").write_bytes(self.external("weights.bin").SerializeToString())
        (weights,) = load(tmp_path / "m.onnx").graph.constants()
        assert weights.const is not None and weights.const.tolist() == [[0, 1, 2, 3]]

    @pytest.mark.parametrize("location", ["absent.bin", "", "../secret.bin", "/etc/passwd", "a\0b"])
    def test_external_data_that_is_not_beside_the_model(self, tmp_path: Path, location: str) -> None:
        (tmp_path / "secret.bin").write_bytes(bytes(16))
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "m.onnx").write_bytes(self.external(location).SerializeToString())
        assert refused(folder / "m.onnx").code == "E0101"

    def test_external_data_cut_off(self, tmp_path: Path) -> None:
        (tmp_path / "weights.bin").write_bytes(bytes(15))
        (tmp_path / "m.onnx").write_bytes(self.external("weights.bin").SerializeToString())
        assert refused(tmp_path / "m.onnx").code == "E0101"

    def test_external_data_of_a_model_in_memory(self) -> None:
        assert refused(self.external("weights.bin")).code == "E0101"


def test_half_precision_weights_become_float32() -> None:
    weights = np.asarray([[0.5, -2.25]], np.float16)
    nodes = [node("Cast", ["w"], ["w32"], to=TensorProto.FLOAT), node("Mul", ["x", "w32"], ["y"])]
    assert_same_as_onnxruntime(model(nodes, [floats("x", 1, 2)], [floats("y", 1, 2)], constants={"w": weights}))


def test_initializer_that_is_also_an_input_is_a_constant() -> None:
    proto = model(
        [node("Add", ["x", "w"], ["y"])], [floats("x", 1, 2), floats("w", 1, 2)], [floats("y", 1, 2)],
        constants={"w": np.asarray([[1, 2]], np.float32)},
    )  # fmt: skip
    graph = load(proto.SerializeToString()).graph
    assert [t.name for t in graph.inputs] == ["x"]


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.STRING, TensorProto.BOOL])
def test_inputs_of_other_types_are_listed(dtype: int) -> None:
    proto = model([node("Relu", ["x"], ["y"])], [("x", dtype, [1, 2])], [("y", dtype, [1, 2])])
    error = refused(proto)
    assert error.code == "E0103" and "input 'x'" in error.why


def test_sequence_input_is_listed() -> None:
    proto = relu()
    kind = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1])
    proto.graph.input[0].CopyFrom(kind)
    assert refused(proto).code == "E0103"
