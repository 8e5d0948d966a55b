"""One ONNX node through the importer and the float reference, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mcucompile.frontend import load
from mcucompile.frontend.export import to_onnx
from mcucompile.ir import Array, Graph
from mcucompile.ops import Reshape, Transpose
from mcucompile.passes.fuse_bias import FuseBias
from mcucompile.reference import evaluate

OPSET = 20


@dataclass(frozen=True)
class Constant:
    """An operand that is an initializer of the model."""

    values: Array


def floats(*shape: int, seed: int = 0, spread: float = 2.0) -> Array:
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


def const(values: Any, dtype: Any = np.float32) -> Constant:
    return Constant(np.asarray(values, dtype))


def ints(*values: int) -> Constant:
    return const(values, np.int64)


def model(
    op_type: str, operands: Sequence[Array | Constant | None], opset: int = OPSET, outputs: int = 1, **attributes: Any
) -> bytes:
    """A model of one node; plain arrays are its inputs x0, x1, ..., None an absent operand."""
    names = ["" if v is None else f"x{i}" for i, v in enumerate(operands)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op_type, names, results, name="node", **attributes)
    pairs = list(zip(names, operands, strict=True))
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in pairs if isinstance(v, np.ndarray)
    ]
    constants = [numpy_helper.from_array(v.values, n) for n, v in pairs if isinstance(v, Constant)]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in results]
    graph = helper.make_graph([node], "one", inputs, infos, constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(proto.SerializeToString())


def oracle(source: bytes, feeds: dict[str, Array]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def check(
    op_type: str, operands: Sequence[Array | Constant | None], opset: int = OPSET, outputs: int = 1, **attributes: Any
) -> Graph:
    """The imported graph, after its float results were found equal to ONNX Runtime's up to float32 rounding."""
    source = model(op_type, operands, opset, outputs, **attributes)
    feeds = {f"x{i}": v for i, v in enumerate(operands) if isinstance(v, np.ndarray)}
    graph = load(source).graph
    agrees(list(evaluate(graph, feeds).values()), oracle(source, feeds))
    check_export(load(source).graph, feeds)
    return graph


def check_export(graph: Graph, feeds: dict[str, Array]) -> None:
    """Written as ONNX again, the graph means the same to ONNX Runtime, and reads as the same operators."""
    written = to_onnx(graph)
    agrees(list(evaluate(graph, feeds).values()), oracle(written, feeds))
    again = load(written).graph
    FuseBias().run(graph)
    FuseBias().run(again)
    assert operators(again) == operators(graph)


def operators(graph: Graph) -> list[str]:
    """What computes, as text."""
    return [str(n.op) for n in graph.nodes if not isinstance(n.op, (Reshape, Transpose))]


def agrees(results: Sequence[Array], expected: Sequence[Array]) -> None:
    for got, want in zip(results, expected, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6)


def only(graph: Graph, kind: type) -> Any:
    """The single operator of a kind in the graph."""
    (op,) = [n.op for n in graph.nodes if isinstance(n.op, kind)]
    return op
