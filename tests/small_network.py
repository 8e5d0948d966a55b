"""A network of three layers that compiles in a moment, under any node names, for tests of reports."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcucompile.api import Compiled, compile
from mcucompile.data import Samples

NAMES = ("block/conv", "block/relu", "head/gemm")
CLASSES, SAMPLES = 5, 20


def small_model(names: tuple[str, str, str] = NAMES) -> bytes:
    """Convolution, Relu, fully connected layer; float32, 1x1x8x8 to 1x5."""
    rng = np.random.default_rng(5)
    weights = {
        "conv_w": rng.normal(size=(8, 1, 3, 3)), "conv_b": rng.normal(size=8),
        "gemm_w": rng.normal(size=(288, CLASSES)), "gemm_b": rng.normal(size=CLASSES),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "conv_w", "conv_b"], ["c"], name=names[0]),
        helper.make_node("Relu", ["c"], ["r"], name=names[1]),
        helper.make_node("Flatten", ["r"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "gemm_w", "gemm_b"], ["y"], name=names[2]),
    ]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def small_samples(seed: int = 6) -> Samples:
    """With labels that the network cannot know."""
    rng = np.random.default_rng(seed)
    inputs = {"x": rng.normal(size=(SAMPLES, 1, 1, 8, 8)).astype(np.float32)}
    return Samples(inputs, rng.integers(0, CLASSES, SAMPLES))


def small_network(
    names: tuple[str, str, str] = NAMES, passes: str = "", effort: str = "-O2", board: str = "qemu-m4"
) -> Compiled:
    return compile(
        small_model(names), board, calibration=small_samples(), name="small", passes=passes or (), effort=effort,
        ranges="minmax", equalize="off", correct_bias="off",
    )  # fmt: skip
