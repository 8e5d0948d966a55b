"""Graphs written with Sign, as Larq's are: signs of constants fold, those of activations stay."""

import numpy as np
import pytest
from onnx import NodeProto
from onnx_models import Array, assert_same_as_onnxruntime, floats, model, node

from mcucompile.ops.sign import Sign

WEIGHTS: Array = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def larq_sign(x: str, y: str) -> list[NodeProto]:
    """What Larq's ste_sign becomes: 1 at zero."""
    return [node("Sign", [x], [f"{y}.inner"]), node("Add", [f"{y}.inner", "tenth"], [f"{y}.sum"]),
            node("Sign", [f"{y}.sum"], [y])]  # fmt: skip


@pytest.mark.parametrize("written", ["plain", "larq", "already"])
def test_signs_of_weights_fold(written: str) -> None:
    signs = {"plain": [node("Sign", ["w"], ["s"])], "larq": larq_sign("w", "s"), "already": []}[written]
    weights = np.sign(WEIGHTS) if written == "already" else WEIGHTS
    nodes = [*signs, node("Conv", ["x", "w" if written == "already" else "s"], ["y"])]
    constants = {"w": weights, "tenth": np.float32(0.1)}
    graph = assert_same_as_onnxruntime(
        model(nodes, [floats("x", 1, 3, 6, 6)], [floats("y", 1, 4, 4, 4)], 13, constants)
    )
    weight = next(t for t in graph.constants() if len(t.shape) == 4)
    assert [n.op.name for n in graph.nodes].count("sign") == 0
    np.testing.assert_array_equal(weight.const, np.sign(WEIGHTS).transpose(0, 2, 3, 1))


def test_zeros_of_weights() -> None:
    """ONNX's Sign leaves them, Larq's makes them 1."""
    constants = {"w": np.zeros((2, 3), np.float32), "tenth": np.float32(0.1)}
    nodes = [*larq_sign("w", "s"), node("MatMul", ["x", "s"], ["y"])]
    graph = assert_same_as_onnxruntime(model(nodes, [floats("x", 1, 2)], [floats("y", 1, 3)], 13, constants))
    assert np.all(next(t for t in graph.constants() if t.size == 6).const == 1)


def test_signs_of_activations_stay() -> None:
    constants = {"tenth": np.float32(0.1)}
    proto = model(larq_sign("x", "y"), [floats("x", 2, 5)], [floats("y", 2, 5)], 13, constants)
    graph = assert_same_as_onnxruntime(proto)
    assert [n.op for n in graph.nodes if isinstance(n.op, Sign)] == [Sign(), Sign()]
