"""Real networks: they load, no transposition and no real number is left where none must be, and they mean the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import assert_same_as_onnxruntime, compiled, random_inputs, run_onnxruntime

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.frontend.export import to_onnx
from mcucompile.ir import Array, DType, Graph
from mcucompile.passes.eliminate_transposes import EliminateTransposes

Find = Callable[[str], Path]

FLOAT = [
    "mlperf_kws_dscnn_f32", "mlperf_vww_mbv1_025_f32", "mlperf_ic_resnet8_f32", "mlperf_ad_autoenc_f32",
    "mlperf_strww_f32", "alibaba_kws_7k_f32", "alibaba_ad_43k_f32", "arm_kws_dnn_s_f32", "arm_kws_dscnn_s_f32",
    "arm_kws_dscnn_m_f32", "trained_lenet300_100", "trained_lenet5", "trained_har_cnn1d", "trained_cifar_resnet8",
    "trained_fsdd_dscnn32", "blazeface_front_f32",
]  # fmt: skip
CHANNELS_FIRST = {"trained_har_cnn1d", "trained_cifar_resnet8"}  # with more than one channel at the input
INTEGER = [
    "mlperf_kws_dscnn_int8", "mlperf_vww_mbv1_025_int8", "mlperf_ic_resnet8_int8", "mlperf_ad_autoenc_int8",
    "mlperf_strww_int8", "tflm_hello_world_int8", "tflm_person_detect_int8", "tflm_micro_speech_int8",
]  # fmt: skip
FLOAT_OUTSIDE = ["mcunet_det_person_int8", "tinyengine_lenet300_int8"]


def transposes(graph: Graph) -> int:
    return sum(n.op.name == "transpose" for n in graph.nodes)


@pytest.mark.parametrize("name", FLOAT)
def test_float_network(shared_model: Find, name: str) -> None:
    graph = assert_same_as_onnxruntime(onnx.load(shared_model(name)), rtol=1e-4, atol=2e-4)
    assert transposes(graph) == (name in CHANNELS_FIRST)
    EliminateTransposes().run(graph)
    assert transposes(graph) == (name in CHANNELS_FIRST)


@pytest.mark.parametrize("name", INTEGER)
def test_integer_network(shared_model: Find, name: str) -> None:
    """The graph as imported is the file; then, layer by layer on equal inputs, a tie may round the other way.

    Whole outputs say less: a later softmax makes many steps of one.
    """
    data = shared_model(name).read_bytes()
    assert_same_as_onnxruntime(onnx.load_from_string(data), rtol=0, atol=1)
    graph = compiled(data)
    assert transposes(graph) == 0
    assert all(t.dtype is DType.I8 for t in graph.activations())
    for seed in range(2):
        inputs = random_inputs(graph, seed)
        stored = inputs | stored_by_onnxruntime(graph, inputs)
        for node in graph.nodes:
            (found,) = node.op.reference_int(
                node, *(stored[t.name] if t.const is None else t.const for t in node.inputs)
            )
            steps = np.abs(found.astype(int) - stored[node.output.name].astype(int))
            assert steps.max() <= 1 and (steps > 0).mean() < 0.15, node.where


def stored_by_onnxruntime(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """Every tensor of the graph, written as ONNX, from one run."""
    proto = onnx.load_from_string(to_onnx(graph))
    names = [t.name for n in graph.nodes for t in n.outputs]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.INT8, None) for n in names)
    return dict(zip(names, run_onnxruntime(proto.SerializeToString(), inputs), strict=True))


@pytest.mark.parametrize("name", FLOAT_OUTSIDE)
def test_integer_network_with_real_inputs(shared_model: Find, name: str) -> None:
    data = shared_model(name).read_bytes()
    graph = compiled(data)
    assert transposes(graph) == 0
    assert all(t.quant for t in graph.inputs)
    left = {n.op.name for n in graph.nodes if any(t.dtype is DType.F32 for t in n.outputs)}
    assert left <= {"dequantize", "log_softmax"}


def test_what_is_not_supported_is_listed(shared_model: Find) -> None:
    with pytest.raises(CompileError) as caught:
        load(shared_model("arm_kws_lstm_s_scan_f32"))
    assert caught.value.code == "E0103" and "Scan" in caught.value.why
