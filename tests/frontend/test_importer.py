"""What is imported means what ONNX Runtime says it means; everything that is not is listed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import assert_same_as_onnxruntime, floats, model, node

from mcucompile.errors import CompileError
from mcucompile.frontend import load

MODELS = Path(__file__).parents[1] / "models"


@pytest.mark.parametrize("name", ["classifier", "conv1d_shapes", "opset7", "opset9", "activations"])
def test_network_is_what_onnxruntime_computes(name: str) -> None:
    assert_same_as_onnxruntime(onnx.load(MODELS / f"{name}.onnx"), atol=1e-5)


def refused(proto: ModelProto) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load(proto.SerializeToString())
    return caught.value


def test_everything_unsupported_is_listed_at_once() -> None:
    nodes = [
        node("NonZero", ["x"], ["a"]),
        node("Einsum", ["x"], ["b"], equation="ij->ji"),
        node("Relu", ["b"], ["c"]),
        node("Hardmax", ["c"], ["d"]),
        helper.make_node("FusedConv", ["x"], ["e"], name="foreign", domain="com.microsoft"),
        node("MatMul", ["x", "x"], ["f"]),
    ]
    error = refused(model(nodes, [floats("x", 4, 4)], [floats(o, 4, 4) for o in ("a", "d", "e", "f")]))
    lines = error.why.splitlines()
    assert error.code == "E0103"
    assert [line.partition(":")[0] for line in lines] == [
        "NonZero 'a/NonZero'", "Einsum 'b/Einsum'", "Hardmax 'd/Hardmax'", "FusedConv 'foreign'",
    ]  # fmt: skip
    assert "com.microsoft" in lines[3]


def test_subgraphs_are_listed() -> None:
    empty = helper.make_graph([], "branch", [], [])
    proto = model([node("If", ["c"], ["y"], then_branch=empty, else_branch=empty)], [floats("c", 1)], [floats("y", 1)])
    error = refused(proto)
    assert error.code == "E0103" and "subgraph" in error.why


def test_output_that_is_constant_is_listed() -> None:
    proto = model(
        [node("Relu", ["x"], ["y"]), node("Neg", ["w"], ["z"])], [floats("x", 2)], [floats("y", 2), floats("z", 2)],
        constants={"w": np.ones(2, np.float32)},
    )  # fmt: skip
    error = refused(proto)
    assert error.code == "E0103" and "output 'z'" in error.why


def test_optional_output_that_is_not_computed() -> None:
    nodes = [node("Dropout", ["x"], ["y", "mask"]), node("Identity", ["mask"], ["z"])]
    error = refused(model(nodes, [floats("x", 2)], [floats("y", 2), ("z", TensorProto.BOOL, [2])]))
    assert error.code == "E0103" and "'mask'" in error.why


def test_unused_dropout_mask_does_no_harm() -> None:
    assert_same_as_onnxruntime(model([node("Dropout", ["x"], ["y", "mask"])], [floats("x", 2)], [floats("y", 2)]))


def test_shape_arithmetic_folds() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape", "zero", "two"], ["front"]),
        node("ReduceProd", ["front"], ["product"], keepdims=1),
        node("Concat", ["product", "minus"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"zero": np.asarray([0]), "two": np.asarray([2]), "minus": np.asarray([-1])}
    graph = assert_same_as_onnxruntime(model(nodes, [floats("x", 2, 3, 4)], [floats("y", 6, 4)], constants=constants))
    assert [n.op.name for n in graph.nodes] == ["reshape"]


def test_part_of_a_shape() -> None:
    nodes = [node("Shape", ["x"], ["shape"], start=1, end=-1), node("Expand", ["one", "shape"], ["wide"]),
             node("Mul", ["x", "wide"], ["y"])]  # fmt: skip
    constants = {"one": np.asarray([[2]], np.float32)}
    assert_same_as_onnxruntime(model(nodes, [floats("x", 2, 1, 5)], [floats("y", 2, 1, 5)], constants=constants))


@pytest.mark.parametrize(
    ("op", "inputs", "constants"),
    [
        ("ConstantOfShape", ["s"], {"s": np.asarray([1 << 30, 1 << 30])}),
        ("Expand", ["w", "s"], {"w": np.ones(1, np.float32), "s": np.asarray([1 << 20, 1 << 20])}),
        ("Tile", ["w", "s"], {"w": np.ones(1000, np.float32), "s": np.asarray([1 << 40])}),
        ("Add", ["w", "v"], {"w": np.ones((1 << 16, 1), np.float32), "v": np.ones((1, 1 << 16), np.float32)}),
        ("Range", ["a", "b", "c"], {"a": np.asarray(0), "b": np.asarray(1 << 50), "c": np.asarray(1)}),
        ("Gather", ["w", "i"], {"w": np.ones((1, 1 << 20), np.float32), "i": np.zeros(1 << 12, np.int64)}),
    ],
)
def test_constant_that_explodes_is_refused(op: str, inputs: list[str], constants: dict[str, np.ndarray]) -> None:
    proto = model(
        [node(op, inputs, ["big"]), node("Add", ["x", "big"], ["y"])], [floats("x", 1)], [floats("y", 1)],
        constants=constants,
    )  # fmt: skip
    assert refused(proto).code == "E0105"


def test_constants_in_every_form_of_the_constant_node() -> None:
    tensor = numpy_helper.from_array(np.asarray([3, 4], np.float32))
    nodes = [
        node("Constant", [], ["a"], value=tensor),
        node("Constant", [], ["b"], value_float=0.5),
        node("Constant", [], ["c"], value_floats=[1.0, 2.0]),
        node("Constant", [], ["d"], value_ints=[0]),
        node("Add", ["x", "a"], ["p"]),
        node("Mul", ["p", "b"], ["q"]),
        node("Sub", ["q", "c"], ["r"]),
        node("Unsqueeze", ["r", "d"], ["y"]),
    ]
    assert_same_as_onnxruntime(model(nodes, [floats("x", 2)], [floats("y", 1, 2)]))


@pytest.mark.parametrize(
    ("op", "attributes", "shape"),
    [
        ("Conv", {"kernel_shape": [3, 3]}, [4, 5, 3, 3]),
        ("Conv", {"kernel_shape": [2, 2]}, [4, 3, 3, 3]),
        ("Conv", {"group": 2}, [4, 3, 3, 3]),
        ("Conv", {"strides": [0, 1]}, [4, 3, 3, 3]),
        ("Conv", {"strides": [-1, 1]}, [4, 3, 3, 3]),
        ("Conv", {"pads": [-1, 0, 0, 0]}, [4, 3, 3, 3]),
        ("Conv", {"pads": [1]}, [4, 3, 3, 3]),
        ("Conv", {"dilations": [1 << 40, 1]}, [4, 3, 3, 3]),
        ("Conv", {"kernel_shape": 3}, [4, 3, 3, 3]),
        ("Conv", {"colour": 3}, [4, 3, 3, 3]),
        ("Conv", {}, [4, 3, 30, 30]),
        ("MatMul", {}, [7, 2]),
        ("Add", {}, [7]),
    ],
)
def test_contradiction_names_the_node(op: str, attributes: dict[str, object], shape: list[int]) -> None:
    proto = model(
        [node(op, ["x", "w"], ["y"], **attributes)], [floats("x", 1, 3, 8, 8)], [("y", TensorProto.FLOAT, None)],
        constants={"w": np.ones(shape, np.float32)},
    )  # fmt: skip
    error = refused(proto)
    assert error.code == "E0107" and f"y/{op}" in error.where


def test_required_attribute_is_missing() -> None:
    error = refused(model([node("MaxPool", ["x"], ["y"])], [floats("x", 1, 3, 8, 8)], [floats("y", 1, 3, 4, 4)]))
    assert error.code == "E0107" and "kernel_shape" in error.what


def test_names_stay_as_near_as_c_allows() -> None:
    proto = model(
        [node("Relu", ["in:0"], ["a/b;c/d"]), node("Neg", ["w"], ["v"]), node("Add", ["a/b;c/d", "v"], ["0.out"])],
        [floats("in:0", 2)], [floats("0.out", 2)], constants={"w": np.ones(2, np.float32)},
    )  # fmt: skip
    imported = load(proto.SerializeToString())
    assert [t.name for t in imported.graph.activations()] == ["in_0", "c_d", "t_0_out"]
    assert imported.onnx_names == {"in_0": "in:0", "t_0_out": "0.out"}
    assert [n.source for n in imported.graph.nodes] == [("a/b;c/d/Relu",), ("0.out/Add",)]


def test_names_that_c_cannot_tell_apart() -> None:
    proto = model([node("Relu", ["a.b"], ["a:b"])], [floats("a.b", 2)], [floats("a:b", 2)])
    imported = load(proto.SerializeToString())
    assert [t.name for t in imported.graph.activations()] == ["a_b", "a_b_1"]


def test_input_that_is_also_output() -> None:
    nodes = [node("Identity", ["x"], ["y"]), node("Relu", ["x"], ["z"]), node("Identity", ["z"], ["w"])]
    graph = assert_same_as_onnxruntime(model(nodes, [floats("x", 2)], [floats(o, 2) for o in "yzw"]))
    assert [t.name for t in graph.outputs] == ["y", "z", "w"]
