"""What is exported is valid ONNX, means the same to two independent runtimes, and imports to the same graph."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_models import compiled, floats, model, node, random_inputs, run_onnxruntime
from test_quantized import CONV, conv_model

from mcucompile.frontend.export import to_onnx
from mcucompile.ir import Graph, graph_text
from mcucompile.reference import evaluate

MODELS = Path(__file__).parents[1] / "models"
SHARED = ["mlperf_kws_dscnn_int8", "mlperf_ad_autoenc_int8", "mlperf_strww_int8", "mlperf_vww_mbv1_025_int8",
          "tflm_micro_speech_int8", "tinyengine_lenet300_int8", "trained_har_cnn1d"]  # fmt: skip


def assert_good_export(graph: Graph) -> None:
    data = to_onnx(graph)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    assert to_onnx(graph) == data
    inputs = random_inputs(graph)
    ours = evaluate(graph, inputs)
    runtimes = [run_onnxruntime(data, inputs), ReferenceEvaluator(onnx.load_from_string(data)).run(None, inputs)]
    for theirs in runtimes:
        for (name, found), wanted in zip(ours.items(), theirs, strict=True):
            assert found.dtype == wanted.dtype
            is_real = found.dtype == np.float32
            np.testing.assert_allclose(
                found.astype(np.float64),
                wanted.astype(np.float64),
                rtol=1e-4,
                atol=1e-5 if is_real else 1,
                err_msg=name,
            )
    assert graph_text(compiled(data)) == graph_text(graph)


@pytest.mark.parametrize("name", ["classifier_qdq_int8", "classifier_qdq_uint8", "conv1d_shapes", "activations"])
def test_network(name: str) -> None:
    assert_good_export(compiled((MODELS / f"{name}.onnx").read_bytes()))


@pytest.mark.parametrize(("dtype", "zero", "kernel"), CONV)
def test_types_of_weights_and_activations(dtype: type, zero: int, kernel: dict[str, np.ndarray]) -> None:
    assert_good_export(compiled(conv_model(dtype, zero, kernel).SerializeToString()))


@pytest.mark.parametrize("name", SHARED)
def test_real_network(shared_model: Callable[[str], Path], name: str) -> None:
    assert_good_export(compiled(shared_model(name).read_bytes()))


def test_names_of_inputs_and_outputs_are_kept() -> None:
    graph = compiled(model([node("Relu", ["x"], ["y"])], [floats("x", 1, 3)], [floats("y", 1, 3)]).SerializeToString())
    proto = onnx.load_from_string(to_onnx(graph))
    assert [v.name for v in (*proto.graph.input, *proto.graph.output)] == ["x", "y"]


def test_every_node_has_its_own_name() -> None:
    """ONNX Runtime refuses a file in which two nodes share one."""
    graph = compiled((MODELS / "activations.onnx").read_bytes())
    names = [n.name for n in onnx.load_from_string(to_onnx(graph)).graph.node]
    assert len(set(names)) == len(names)
