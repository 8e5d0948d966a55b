"""Networks that arrive compressed: equal to their definition, and the same bits on an emulated core.

The oracles are the definition of QONNX on onnx.reference, and ONNX Runtime for standard operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from needs import needs_emulator
from onnx import numpy_helper
from qonnx_definition import Array, run_model

import mcucompile
from mcucompile.data import Samples
from mcucompile.frontend import load
from mcucompile.frontend.export import to_onnx
from mcucompile.ir import DType, graph_text
from mcucompile.ops.binary_conv2d import BinaryConv2d
from mcucompile.ops.weighted import Weighted
from mcucompile.options import Options
from mcucompile.pipeline import prepare
from mcucompile.reference import evaluate

onnxruntime = pytest.importorskip("onnxruntime", reason="the oracle of standard operators: not installed")

MODELS = Path(__file__).parent / "models"
SAMPLES = 20


@dataclass(frozen=True)
class Arrived:
    """A network; how many different values a layer's weights have, and the operators that compute on real numbers.

    `differing`: the share of outputs that may be another integer than the definition's. An activation of few bits that
    rounds the other way, because its bias is a whole number of steps of the sum, moves several outputs behind it.
    """

    name: str
    levels: int
    real: tuple[str, ...] = ()
    differing: float = 0.01

    @property
    def data(self) -> bytes:
        return (MODELS / f"{self.name}.onnx").read_bytes()


NETWORKS = [
    Arrived("qonnx_w4a4", 15, differing=0.05),
    Arrived("qonnx_w2a4", 3, real=("dense",), differing=0.05),
    Arrived("qonnx_binary", 2),
    Arrived("qonnx_trunc", 15),
    Arrived("classifier_qcdq", 7),
    Arrived("classifier_int4", 16),
]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)


def images() -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (1, 3, 12, 12)).astype(np.float32) for _ in range(SAMPLES)]


def oracle(network: Arrived) -> Callable[[Array], Array]:
    if network.name.startswith("qonnx"):
        proto = onnx.load_from_string(network.data)
        return lambda x: run_model(proto, {"image": x})[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(network.data, options, providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {"image": x})[0])


@every_network
def test_import_is_the_definition(network: Arrived) -> None:
    graph, wanted = load(network.data).graph, oracle(network)
    for x in images():
        np.testing.assert_allclose(evaluate(graph, {"image": x})["scores"], wanted(x), rtol=1e-5, atol=1e-6)


@every_network
def test_integers_differ_by_steps_at_thresholds(network: Arrived) -> None:
    graph, wanted = prepare(network.data, "network", Options(), None).graph, oracle(network)
    (x,), (y,) = graph.inputs, graph.outputs
    assert x.quant
    different = 0
    for image in images():
        found, real = evaluate(graph, {"image": x.quant.quantize(image)})["scores"], wanted(image)
        if y.quant:
            steps = found.astype(int) - y.quant.quantize(real).astype(int)
            assert np.abs(steps).max() <= 4
            different += np.count_nonzero(steps)
        else:
            different += np.count_nonzero(~np.isclose(found, real, rtol=1e-5, atol=1e-5))
        assert found.argmax() == real.argmax()
    assert different <= network.differing * SAMPLES * y.size


@every_network
def test_weights_keep_to_their_bits(network: Arrived) -> None:
    graph = prepare(network.data, "network", Options(), None).graph
    weights = [n.inputs[1].const for n in graph.nodes if isinstance(n.op, Weighted | BinaryConv2d)]
    assert all(w is not None and len(np.unique(w)) <= network.levels for w in weights) and len(weights) >= 3
    real = [n.op.name for n in graph.nodes if all(t.dtype is DType.F32 for t in [*n.activations(), *n.outputs])]
    assert tuple(real) == network.real


@needs_emulator
@every_network
def test_same_bits_on_cortex_m4(network: Arrived, tmp_path: Path) -> None:
    result = mcucompile.compile(MODELS / f"{network.name}.onnx", "qemu-m4").verify(per_layer=True)
    assert result.ok, result.mismatch


class TestWeightsOnly:
    """Real activations: quantization takes the integers that the file has."""

    samples = Samples({"image": np.concatenate(images())[:, None]})

    def test_integers_stay(self) -> None:
        data = (MODELS / "weights_int4.onnx").read_bytes()
        stored = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(data).graph.initializer}
        graph = prepare(data, "network", Options(), self.samples).graph
        conv, dense = (n.inputs[1] for n in graph.nodes if isinstance(n.op, Weighted))
        integers = stored["stem.weight.integers"].astype(np.int8).transpose(0, 2, 3, 1)
        assert conv.const is not None and dense.const is not None
        np.testing.assert_array_equal(np.abs(conv.const), np.abs(integers))
        assert np.all((conv.const == integers).all(axis=(1, 2, 3)) | (conv.const == -integers).all(axis=(1, 2, 3)))
        assert sorted(dense.const.ravel()) == sorted(stored["dense.weight.integers"].astype(np.int8).ravel())

    @needs_emulator
    def test_same_bits_on_cortex_m4(self) -> None:
        compiled = mcucompile.compile(MODELS / "weights_int4.onnx", "qemu-m4", calibration=self.samples)
        result = compiled.verify()
        assert result.ok, result.mismatch


class TestRealResult:
    """A file that leaves its result real: calibration data quantizes that too."""

    path = MODELS / "qonnx_w2a4.onnx"
    samples = Samples({"image": np.concatenate(images())[:, None]})

    def test_without_data_it_stays_real_and_is_told(self) -> None:
        prepared = prepare(self.path, "network", Options(), None)
        assert prepared.graph.outputs[0].quant is None and any("scores/MatMul" in note for note in prepared.notes)

    @needs_emulator
    def test_with_data_all_of_it_is_integer(self) -> None:
        compiled = mcucompile.compile(self.path, "qemu-m4", calibration=self.samples)
        assert all(t.dtype is DType.I8 for t in compiled.prepared.graph.activations())
        result = compiled.verify(per_layer=True)
        assert result.ok, result.mismatch


@pytest.mark.parametrize("name", [*(n.name for n in NETWORKS), "weights_int4"])
def test_twin_is_the_same_network(name: str) -> None:
    samples = TestWeightsOnly.samples if name == "weights_int4" else None
    prepared = prepare((MODELS / f"{name}.onnx").read_bytes(), "network", Options(), samples)
    again = prepare(to_onnx(prepared.twin), "network", Options(), None)
    assert graph_text(again.graph) == graph_text(prepared.graph)
