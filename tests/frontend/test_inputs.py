"""Which shapes the graph's inputs get."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto
from onnx_models import Value, floats, model, node

from mcucompile.errors import CompileError
from mcucompile.frontend import load


def relu(shape: Value) -> ModelProto:
    return model([node("Relu", [shape[0]], ["y"])], [shape], [("y", TensorProto.FLOAT, None)])


def refused(proto: ModelProto, **shapes: tuple[int, ...]) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load(proto.SerializeToString(), shapes)
    return caught.value


@pytest.mark.parametrize("batch", ["N", None])
def test_symbolic_batch_becomes_one_and_is_noted(batch: str | None) -> None:
    imported = load(relu(floats("x", batch, 3, 8)).SerializeToString())
    assert imported.graph.inputs[0].shape == (1, 3, 8)
    (note,) = imported.notes
    assert "'x'" in note and "batch" in note


def test_fixed_shapes_need_no_note() -> None:
    assert load(relu(floats("x", 2, 3)).SerializeToString()).notes == ()


def test_other_symbol_asks_for_the_option() -> None:
    error = refused(relu(floats("x", "N", 3, "T")))
    assert error.code == "E0104" and error.fix == "--shape x=1,3,…"


def test_input_without_shape_asks_for_the_option() -> None:
    assert refused(relu(("x", TensorProto.FLOAT, None))).code == "E0104"


def test_option_gives_the_shape() -> None:
    proto = relu(floats("x", "N", 3, "T"))
    imported = load(proto.SerializeToString(), {"x": (2, 3, 16)})
    assert imported.graph.inputs[0].shape == (2, 3, 16) and imported.notes == ()


def test_option_may_use_the_c_name() -> None:
    imported = load(relu(floats("in/x:0", "N", "T")).SerializeToString(), {"in_x_0": (1, 5)})
    assert imported.graph.inputs[0].shape == (1, 5)
    assert imported.onnx_names["in_x_0"] == "in/x:0"


@pytest.mark.parametrize("shape", [(1, 4, 16), (1, 3), (1, 3, 0), (1, 3, -1)])
def test_option_that_contradicts_the_file(shape: tuple[int, ...]) -> None:
    assert refused(relu(floats("x", "N", 3, "T")), x=shape).code == "E0108"


def test_option_for_no_input() -> None:
    error = refused(relu(floats("x", 1, 3)), z=(1, 3))
    assert error.code == "E0108" and "'x'" in error.fix


@pytest.mark.parametrize("size", [0, -5])
def test_dimension_that_is_not_positive(size: int) -> None:
    assert refused(relu(floats("x", 1, size))).code == "E0107"


def test_huge_input() -> None:
    assert refused(relu(floats("x", 1, 1 << 40, 1 << 40))).code == "E0105"


def test_huge_result() -> None:
    nodes = [node("Unsqueeze", ["x", "axes"], ["a"]), node("Add", ["a", "x"], ["y"])]
    proto = model(nodes, [floats("x", 1 << 16)], [("y", TensorProto.FLOAT, None)], constants={"axes": np.asarray([1])})
    error = refused(proto)
    assert error.code == "E0105" and "y/Add" in error.where
