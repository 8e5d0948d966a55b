"""Models of a few nodes, what ONNX Runtime makes of them, and what the compiled network makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from mcucompile import api
from mcucompile.data import Samples
from mcucompile.ir import Array, Shape
from mcucompile.run.host import HostLibrary
from mcucompile.run.interface import Interface

BOARD = "qemu-m4"


def model(
    nodes: Sequence[NodeProto], inputs: Mapping[str, Shape], outputs: Sequence[str], opset: int = 20, **constants: Array
) -> bytes:
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    values = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    graph = helper.make_graph(list(nodes), "small", infos, results, values)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(proto.SerializeToString())


def quantized(
    op_type: str, operands: Sequence[str], shape: Shape, dtype: type, scale: float, y_scale: float, zero: int = 0
) -> bytes:
    """One operator on inputs of one shape and scale, between QuantizeLinear and DequantizeLinear nodes."""
    nodes = []
    for name in operands:
        nodes += [
            helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{name}_q"]),
            helper.make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [f"{name}_d"]),
        ]
    nodes += [
        helper.make_node(op_type, [f"{name}_d" for name in operands], ["r"], name="the_node"),
        helper.make_node("QuantizeLinear", ["r", "t", "z"], ["r_q"]),
        helper.make_node("DequantizeLinear", ["r_q", "t", "z"], ["y"]),
    ]
    constants = {"s": np.float32(scale), "t": np.float32(y_scale), "z": np.asarray(zero, dtype)}
    return model(nodes, dict.fromkeys(operands, shape), ["y"], 21, **constants)


def samples(shapes: Mapping[str, Shape], count: int = 8, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples({n: rng.normal(size=(count, *s)).astype(np.float32) for n, s in shapes.items()})


def oracle(source: bytes, data: Samples) -> Array:
    """ONNX Runtime's first output, [samples, ...]."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    rows = [session.run(None, {n: v[i] for n, v in data.inputs.items()})[0] for i in range(data.count)]
    return np.stack(rows)


def reference(compiled: api.Compiled, data: Samples) -> Array:
    """The compiled network's first output as real numbers, [samples, ...]."""
    t = compiled.graph.outputs[0]
    return api.real_outputs(compiled.graph, t.name, compiled.expected(compiled.stored_inputs(data))[t.name])


def run_on_host(compiled: api.Compiled, stored: Mapping[str, Array], folder: Path) -> Array:
    """The first output's stored values of one run of the C, with sanitizers."""
    library = HostLibrary(compiled.write_library(folder / "library"), Interface.of(compiled.program), sanitize=True)
    t = compiled.graph.outputs[0]
    found = library.run([np.ascontiguousarray(stored[i.name]).tobytes() for i in compiled.graph.inputs])
    return np.frombuffer(found[0], t.dtype.numpy).reshape(t.shape)
