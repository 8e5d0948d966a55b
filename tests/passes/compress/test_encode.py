"""How a recipe says in which form weights are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mcucompile
from mcucompile.errors import CompileError
from mcucompile.kernels import all_kernels
from mcucompile.passes.compress.encode import NAMES, Encode


def test_every_kernel_of_weights_can_be_asked_for() -> None:
    assert {k.encoding for k in all_kernels()} <= set(NAMES)


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(CompileError) as e:
        Encode("zip")
    assert e.value.code == "E0701"


def chain() -> bytes:
    """Three layers; the node c1 makes the tensor c2, which is also the name of the node behind."""
    rng = np.random.default_rng(0)
    nodes, constants = [], []
    for node, x, y in (("c1", "x", "c2"), ("c2", "c2", "c3"), ("c3", "c3", "y")):
        weight = rng.integers(-3, 4, (32, 32)).astype(np.float32) / 8
        constants.append(numpy_helper.from_array(weight, f"{node}_w"))
        nodes.append(helper.make_node("MatMul", [x, f"{node}_w"], [y], name=node))
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 32)) for n in "xy"]
    graph = helper.make_graph(nodes, "chain", ports[:1], ports[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def test_a_folder_keeps_what_was_asked_for(tmp_path: Path) -> None:
    """Also where one layer's output is called as another layer's node."""
    samples = mcucompile.Samples({"x": np.random.default_rng(1).standard_normal((4, 1, 32)).astype(np.float32)})
    given = mcucompile.compile(chain(), "qemu-m4", calibration=samples, passes="cluster=8,encode=codebook@c1")
    encoded = [s.source for s in given.program.steps if "codebook" in s.variant]
    assert encoded == [("c1",)]
    given.write(tmp_path / "out")
    assert mcucompile.load_compiled(tmp_path / "out").report["memory"] == given.report["memory"]


def pruned() -> bytes:
    """A convolution with many zeros, a depthwise one, and a dense layer."""
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(s) for name, s in (("c", (8, 8, 3, 3)), ("d", (8, 1, 3, 3)), ("f", (8, 8)))}
    weights["c"][rng.random((8, 8, 3, 3)) < 0.9] = 0
    nodes = [
        helper.make_node("Conv", ["x", "c_w"], ["c_y"], name="c", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c_y", "d_w"], ["d_y"], name="d", group=8),
        helper.make_node("Flatten", ["d_y"], ["f_x"], name="flat"),
        helper.make_node("MatMul", ["f_x", "f_w"], ["y"], name="f"),
    ]
    constants = [numpy_helper.from_array(w.astype(np.float32), f"{name}_w") for name, w in weights.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 8, 3, 3))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8))
    graph = helper.make_graph(nodes, "pruned", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def compiled(passes: str) -> mcucompile.Compiled:
    samples = mcucompile.Samples({"x": np.random.default_rng(1).standard_normal((4, 1, 8, 3, 3)).astype(np.float32)})
    return mcucompile.compile(pruned(), "qemu-m4", calibration=samples, passes=passes)


def kept(given: mcucompile.Compiled) -> dict[str, str]:
    """Of each layer with weights the encoding that the report tells again."""
    encodings: dict[str, str] = given.report["resolved"]["encodings"]
    sources = {n.output.name: n.source[-1] for n in given.graph.nodes}
    return {sources[layer]: encoding for layer, encoding in encodings.items()}


def test_of_all_layers_those_that_cannot_are_left(tmp_path: Path) -> None:
    given = compiled("encode=bitmap")
    assert {s.source: "bitmap" in s.variant for s in given.program.steps if s.macs} == {
        ("c",): True, ("d",): False, ("f",): True,
    }  # fmt: skip
    assert kept(given) == {"c": "bitmap", "f": "bitmap"}
    refused = [note for note in given.report["notes"] if "not kept" in note]
    assert refused == ["weights of depthwise_conv2d 'd' are not kept as bitmap: no kernel of depthwise_conv2d can"]
    given.write(tmp_path / "out")
    assert mcucompile.load_compiled(tmp_path / "out").report["memory"] == given.report["memory"]


def test_a_layer_that_is_named_must_be_able() -> None:
    with pytest.raises(CompileError) as e:
        compiled("encode=bitmap@d")
    assert e.value.code == "E0402"
    with pytest.raises(CompileError) as e:
        compiled("encode=bitmap@*")
    assert e.value.code == "E0402"


def test_values_that_an_encoding_does_not_hold_are_left() -> None:
    given = compiled("encode=ternary")
    assert kept(given) == {}
    assert sum("are not kept as ternary" in note for note in given.report["notes"]) == 3


def test_a_layer_that_is_left_keeps_what_was_asked_for_before() -> None:
    assert kept(compiled("encode=huffman@d,encode=bitmap")) == {"c": "bitmap", "d": "huffman", "f": "bitmap"}
