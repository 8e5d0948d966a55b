"""ONNX models of a few nodes, for tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from mcucompile.frontend import load
from mcucompile.ir import Graph, verify
from mcucompile.passes.absorb_qdq import AbsorbQdq
from mcucompile.passes.eliminate_transposes import EliminateTransposes
from mcucompile.passes.fix_multipliers import FixMultipliers
from mcucompile.passes.fuse_bias import FuseBias
from mcucompile.passes.fuse_clip import FuseClip
from mcucompile.passes.name_tensors import NameTensors
from mcucompile.passes.strip_boundary import StripBoundary
from mcucompile.reference import evaluate

Array = npt.NDArray[Any]
Value = tuple[str, int, Sequence[int | str | None] | None]
PASSES = (
    EliminateTransposes(), FuseBias(), FuseClip(), AbsorbQdq(), EliminateTransposes(), FuseClip(), StripBoundary(),
    EliminateTransposes(), NameTensors(), FixMultipliers(),
)  # fmt: skip


def floats(name: str, *shape: int | str | None) -> Value:
    return name, TensorProto.FLOAT, shape


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs, outputs, name=f"{outputs[0]}/{op}", **attributes)


def model(
    nodes: Sequence[NodeProto], inputs: Sequence[Value], outputs: Sequence[Value], opset: int = 17,
    constants: dict[str, Array] | None = None, ir_version: int = 8,
) -> ModelProto:  # fmt: skip
    graph = helper.make_graph(
        list(nodes), "tested", [helper.make_tensor_value_info(*v) for v in inputs],
        [helper.make_tensor_value_info(*v) for v in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def run_onnxruntime(data: bytes, feeds: dict[str, Array]) -> list[Array]:
    """Node by node, as the file says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return [np.asarray(r) for r in session.run(None, feeds)]


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """As the graph's inputs store them."""
    rng = np.random.default_rng(seed)
    return {
        t.name: rng.integers(t.dtype.low, t.dtype.high, t.shape, endpoint=True).astype(t.dtype.numpy)
        if t.dtype.is_integer
        else rng.uniform(-1, 1, t.shape).astype(np.float32)
        for t in graph.inputs
    }


def compiled(data: bytes) -> Graph:
    """Imported and passed through everything that happens to a graph."""
    graph = load(data).graph
    for p in PASSES:
        p.run(graph)
        verify(graph)
    return graph


def assert_same_as_onnxruntime(proto: ModelProto, rtol: float = 1e-5, atol: float = 1e-6) -> Graph:
    """The imported graph gives what ONNX Runtime gives, before and after its transposes are eliminated."""
    data = proto.SerializeToString()
    imported = load(data)
    inputs = random_inputs(imported.graph)
    wanted = run_onnxruntime(data, {imported.onnx_names[name]: v for name, v in inputs.items()})
    names = [t.name for t in imported.graph.outputs]
    for _ in range(2):
        found = evaluate(imported.graph, inputs)
        for name, ours, theirs in zip(names, found.values(), wanted, strict=True):
            assert ours.shape == theirs.shape, name
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=name)
        EliminateTransposes().run(imported.graph)
        verify(imported.graph)
    return imported.graph
