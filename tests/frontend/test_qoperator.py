"""Networks in the QOperator format, as ONNX Runtime's own quantizer writes them, become integer networks."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper
from onnx_models import compiled, floats, model, node, random_inputs, run_onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType
from mcucompile.reference import evaluate

MODELS = Path(__file__).parents[1] / "models"


class Samples(CalibrationDataReader):
    def __init__(self, shapes: dict[str, list[int]]) -> None:
        rng = np.random.default_rng(0)
        self.feeds = iter([{k: rng.uniform(-1, 1, s).astype(np.float32) for k, s in shapes.items()} for _ in range(8)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def quantized(proto: ModelProto, folder: Path, kind: QuantType, per_channel: bool) -> bytes:
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in proto.graph.input}
    source, prepared, result = (folder / f"{n}.onnx" for n in ("source", "prepared", "result"))
    onnx.save(proto, source)
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, result, Samples(shapes), quant_format=QuantFormat.QOperator, per_channel=per_channel,
        activation_type=kind, weight_type=kind,
    )  # fmt: skip
    return result.read_bytes()


def branches() -> ModelProto:
    rng = np.random.default_rng(1)
    constants = {
        "w": rng.normal(0, 0.3, (4, 2, 3, 3)).astype(np.float32), "b": rng.normal(0, 0.3, 4).astype(np.float32),
        "m": rng.normal(0, 0.3, (4, 3)).astype(np.float32),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c"], ["s"]),
        node("Mul", ["c", "s"], ["g"]),
        node("Concat", ["g", "c"], ["j"], axis=1),
        node("Add", ["g", "c"], ["a"]),
        node("LeakyRelu", ["a"], ["l"], alpha=0.25),
        node("AveragePool", ["l"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["p"], ["t"], perm=[0, 2, 3, 1]),
        node("MatMul", ["t", "m"], ["y"]),
    ]
    return model(nodes, [floats("x", 1, 2, 6, 6)], [floats("y", 1, 3, 3, 3), floats("j", 1, 8, 6, 6)], 17, constants)


@pytest.mark.skipif(sys.platform == "win32", reason="the quantizer keeps its temporary files open there")
@pytest.mark.parametrize(("kind", "per_channel"), [(QuantType.QInt8, True), (QuantType.QUInt8, False)])
@pytest.mark.parametrize("name", ["classifier", "branches"])
def test_network(tmp_path: Path, name: str, kind: QuantType, per_channel: bool) -> None:
    proto = branches() if name == "branches" else onnx.load(MODELS / "classifier.onnx")
    data = quantized(proto, tmp_path, kind, per_channel)
    assert any(n.op_type == "QLinearConv" for n in onnx.load_from_string(data).graph.node)
    graph = compiled(data)
    assert all(t.dtype is DType.I8 for t in graph.activations())
    x = graph.inputs[0]
    assert x.quant
    for seed in range(3):
        stored = random_inputs(graph, seed)
        wanted = run_onnxruntime(data, {x.name: x.quant.dequantize(stored[x.name])})
        for output, real in zip(graph.outputs, wanted, strict=True):
            assert output.quant
            steps = evaluate(graph, stored)[output.name].astype(int) - output.quant.quantize(real).astype(int)
            assert np.abs(steps).max() <= 2  # a tie in one layer moves the next by a step


def test_layout_that_is_not_standard_is_listed() -> None:
    constants = {"s": np.asarray(0.1, np.float32), "z": np.asarray(0, np.int8)}
    pool = helper.make_node(
        "QLinearGlobalAveragePool", ["x", "s", "z", "s", "z"], ["y"], domain="com.microsoft", channels_last=1
    )
    proto = model([pool], [("x", onnx.TensorProto.INT8, [1, 4, 4, 2])], [("y", onnx.TensorProto.INT8, [1, 1, 1, 2])],
                  17, constants)  # fmt: skip
    with pytest.raises(CompileError) as caught:
        load(proto.SerializeToString())
    assert caught.value.code == "E0103" and "channels_last" in caught.value.why
