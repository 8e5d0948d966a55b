"""One-operator .tflite files, run by TensorFlow Lite Micro's reference kernels from the `tflite-micro` wheel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from mcucompile.ir import Array, DType, Tensor

TYPES = {
    DType.F32: schema.TensorType.FLOAT32,
    DType.I8: schema.TensorType.INT8,
    DType.I16: schema.TensorType.INT16,
    DType.I32: schema.TensorType.INT32,
    DType.I64: schema.TensorType.INT64,
}


def options(kind: str, **values: Any) -> Any:
    """The options of an operator, by the name of its table in the schema, for example 'Pool2DOptions'."""
    table = getattr(schema, f"{kind}T")()
    for name, value in values.items():
        assert hasattr(table, name), name
        setattr(table, name, value)
    table.kind = kind
    return table


def run_operator(
    code: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], given: Any, *stored: Array
) -> list[Array]:
    """What the operator makes of the stored values of its computed inputs; constants are those with `const`."""
    model = one_operator(code, inputs, outputs, given)
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    for i, values in enumerate(stored):
        interpreter.set_input(np.ascontiguousarray(values), i)
    interpreter.invoke()
    return [interpreter.get_output(i).copy() for i in range(len(outputs))]


def run_model(model: bytes, stored: Array) -> list[Array]:
    """The first output of a whole .tflite file for its only input."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 21)
    interpreter.set_input(np.ascontiguousarray(stored), 0)
    interpreter.invoke()
    return [interpreter.get_output(0).copy()]


def one_operator(code: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], given: Any) -> bytes:
    model = schema.ModelT()
    model.version, model.description = 3, "one operator"
    builtin = getattr(schema.BuiltinOperator, code)
    operator_code = schema.OperatorCodeT()
    operator_code.builtinCode, operator_code.deprecatedBuiltinCode = builtin, min(builtin, 127)
    operator_code.version = 1
    model.operatorCodes = [operator_code]
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    tensors = [*inputs, *outputs]
    graph.tensors = [tensor_table(t, model.buffers) for t in tensors]
    graph.inputs = [i for i, t in enumerate(inputs) if t.const is None]
    graph.outputs = list(range(len(inputs), len(tensors)))
    graph.operators = [operator_table(len(inputs), graph.outputs, given)]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_table(inputs: int, outputs: list[int], given: Any) -> Any:
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = list(range(inputs)), outputs
    if given is not None:
        operator.builtinOptions = given
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, given.kind)
    return operator


def tensor_table(tensor: Tensor, buffers: list[Any]) -> Any:
    table = schema.TensorT()
    table.name, table.shape, table.type = tensor.name, list(tensor.shape), TYPES[tensor.dtype]
    if tensor.const is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.const.tobytes(), np.uint8)
        table.buffer = len(buffers)
        buffers.append(buffer)
    if tensor.quant is not None:
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.asarray(tensor.quant.scales, np.float32)
        quantization.zeroPoint = np.full(len(tensor.quant.scales), tensor.quant.zero, np.int64)
        quantization.quantizedDimension = tensor.quant.axis or 0
        table.quantization = quantization
    return table
