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
