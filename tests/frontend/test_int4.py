"""Integers of 4 and 2 bits in ONNX: packed constants, and activations that keep to their range."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import Array, assert_same_as_onnxruntime, compiled, floats, model, node, random_inputs, run_onnxruntime

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType
from mcucompile.reference import evaluate, trace

RANGES = {
    TensorProto.INT4: (-8, 7), TensorProto.UINT4: (0, 15), TensorProto.INT2: (-2, 1), TensorProto.UINT2: (0, 3),
}  # fmt: skip
FOUR_BITS = (TensorProto.INT4, TensorProto.UINT4)
OPSETS = {TensorProto.INT4: 21, TensorProto.UINT4: 21, TensorProto.INT2: 25, TensorProto.UINT2: 25}
IR_VERSIONS = {21: 10, 25: 13}


def packed(name: str, kind: int, values: Array) -> TensorProto:
    return helper.make_tensor(name, kind, values.shape, values.ravel().tolist())


def finish(
    nodes: list[Any], kind: int, tensors: list[TensorProto], constants: dict[str, Array], *ports: Any
) -> ModelProto:
    opset = OPSETS[kind]
    proto = model(nodes, [ports[0]], [ports[1]], opset, constants, IR_VERSIONS[opset])
    proto.graph.initializer.extend(tensors)
    return proto


def weight_model(
    kind: int, seed: int = 0, zero: int | None = 0, per_channel: bool = True, odd: bool = True
) -> ModelProto:
    """A convolution of real values; `odd` leaves half of the last byte unused."""
    low, high = RANGES[kind]
    rng, outputs, inputs = np.random.default_rng(seed), 3 if odd else 4, 3
    w = rng.integers(low, high, (outputs, inputs, 3, 3), endpoint=True)
    scales = rng.uniform(0.01, 0.1, outputs).astype(np.float32) if per_channel else np.float32(0.05)
    tensors = [packed("w", kind, w)]
    names = ["w", "s"]
    if zero is not None:
        tensors.append(packed("z", kind, np.full(outputs if per_channel else (), zero)))
        names.append("z")
    nodes = [node("DequantizeLinear", names, ["wr"], axis=0), node("Conv", ["x", "wr"], ["y"])]
    return finish(nodes, kind, tensors, {"s": scales}, floats("x", 1, 3, 6, 6), floats("y", 1, outputs, 4, 4))


class TestWeights:
    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from(FOUR_BITS), st.integers(0, 99), st.sampled_from([None, 0, 1, 7]), st.booleans(), st.booleans()
    )
    def test_same_as_onnxruntime(self, kind: int, seed: int, zero: int | None, per_channel: bool, odd: bool) -> None:
        assert_same_as_onnxruntime(weight_model(kind, seed, zero, per_channel, odd))

    @pytest.mark.parametrize("kind", RANGES)
    @pytest.mark.parametrize("raw", [False, True])
    def test_integers_and_scales_are_those_of_the_file(self, kind: int, raw: bool) -> None:
        proto = weight_model(kind, zero=0)
        w = next(t for t in proto.graph.initializer if t.name == "w")
        wanted = numpy_helper.to_array(w).astype(np.int8)
        if raw:
            w.raw_data = bytes(w.int32_data)
            w.ClearField("int32_data")
        graph = load(proto.SerializeToString()).graph
        weight = next(t for t in graph.constants() if len(t.shape) == 4)
        assert weight.dtype is DType.I8 and weight.quant is not None and len(weight.quant.scales) == 3
        np.testing.assert_array_equal(weight.const, wanted.transpose(0, 2, 3, 1))
        assert wanted.min() >= RANGES[kind][0] and wanted.max() <= RANGES[kind][1]

    @pytest.mark.parametrize("kind", FOUR_BITS)
    def test_same_as_the_reference_of_onnx(self, kind: int) -> None:
        proto = weight_model(kind, zero=3)
        graph = load(proto.SerializeToString()).graph
        inputs = random_inputs(graph)
        (wanted,) = ReferenceEvaluator(proto).run(None, inputs)
        np.testing.assert_allclose(evaluate(graph, inputs)["y"], wanted, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("kind", RANGES)
    def test_data_in_another_file(self, kind: int, tmp_path: Path) -> None:
        """Two or four to a byte there too."""
        proto, path = weight_model(kind), tmp_path / "model.onnx"
        wanted = load(proto.SerializeToString()).graph.constants()[0].const
        onnx.save(proto, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
        assert (tmp_path / "weights.bin").stat().st_size < 81
        np.testing.assert_array_equal(load(path).graph.constants()[0].const, wanted)
        with (tmp_path / "weights.bin").open("r+b") as file:
            file.truncate(10)
        with pytest.raises(CompileError) as caught:
            load(path)
        assert caught.value.code == "E0101"

    def test_too_few_bytes(self) -> None:
        proto = weight_model(TensorProto.INT4)
        w = next(t for t in proto.graph.initializer if t.name == "w")
        w.ClearField("int32_data")
        w.raw_data = bytes(40)
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0101"

    def test_blocks_are_refused(self) -> None:
        proto = weight_model(TensorProto.INT4, per_channel=False)
        proto.graph.node[0].attribute.append(helper.make_attribute("block_size", 3))
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and "blocked" in caught.value.why and "per channel" in caught.value.why

    @pytest.mark.parametrize("kind", FOUR_BITS)
    def test_quantized_in_the_graph(self, kind: int) -> None:
        """QuantizeLinear of a constant."""
        nodes = [
            node("QuantizeLinear", ["w", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["wr"]),
            node("MatMul", ["x", "wr"], ["y"]),
        ]  # fmt: skip
        w = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
        zero = packed("z", kind, np.full((), 2))
        constants = {"w": w, "s": np.asarray(0.2, np.float32)}
        graph = assert_same_as_onnxruntime(finish(nodes, kind, [zero], constants, floats("x", 2, 5), floats("y", 2, 7)))
        assert next(t for t in graph.constants() if t.size == 35).dtype is DType.I8


def activation_model(kind: int, zero: int | None, output_dtype: bool = False, moved: bool = False) -> ModelProto:
    names = ["s"] if zero is None else ["s", "z"]
    attributes = {"output_dtype": kind} if output_dtype else {}
    nodes = [node("QuantizeLinear", ["x", *names], ["q"], **attributes)]
    if moved:
        nodes.append(node("Transpose", ["q"], ["t"], perm=[1, 0]))
    nodes.append(node("DequantizeLinear", ["t" if moved else "q", *names], ["y"]))
    tensors = [] if zero is None else [packed("z", kind, np.full((), zero))]
    shape = (6, 40)
    constants = {"s": np.asarray(0.1, np.float32)}
    return finish(nodes, kind, tensors, constants, floats("x", *shape), floats("y", *(shape[::-1] if moved else shape)))


class TestActivations:
    @pytest.mark.parametrize("moved", [False, True])
    @pytest.mark.parametrize("zero", [0, 3, 7])
    @pytest.mark.parametrize("kind", FOUR_BITS)
    def test_same_as_onnxruntime(self, kind: int, zero: int, moved: bool) -> None:
        graph = assert_same_as_onnxruntime(activation_model(kind, zero, moved=moved), rtol=0, atol=1e-7)
        x = np.linspace(-3, 3, 240, dtype=np.float32).reshape(6, 40)
        (stored, *_) = [v for t, v in trace(graph, {"x": x}).items() if t.dtype is DType.I8]
        assert (stored.min(), stored.max()) == RANGES[kind]

    @pytest.mark.parametrize("kind", FOUR_BITS)
    def test_type_without_a_zero_point(self, kind: int) -> None:
        proto = activation_model(kind, None, output_dtype=True)
        graph, x = load(proto.SerializeToString()).graph, np.linspace(-3, 3, 240, dtype=np.float32).reshape(6, 40)
        wanted = run_onnxruntime(proto.SerializeToString(), {"x": x})[0]
        np.testing.assert_array_equal(evaluate(graph, {"x": x})["y"], wanted)

    @pytest.mark.parametrize("kind", [TensorProto.INT2, TensorProto.UINT2])
    def test_two_bits(self, kind: int) -> None:
        graph = load(activation_model(kind, 1).SerializeToString()).graph
        x = np.linspace(-1, 1, 240, dtype=np.float32).reshape(6, 40)
        low, high = RANGES[kind]
        wanted = np.float32(0.1) * (np.clip(np.rint(x / np.float32(0.1)) + 1, low, high) - 1)
        np.testing.assert_array_equal(evaluate(graph, {"x": x})["y"], wanted.astype(np.float32))

    def test_zero_point_of_another_type(self) -> None:
        proto = activation_model(TensorProto.INT4, 0)
        proto.graph.initializer.append(packed("other", TensorProto.UINT4, np.full((), 0)))
        proto.graph.node[1].input[2] = "other"
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and "int4" in caught.value.why

    @pytest.mark.parametrize(("index", "name", "value"), [(0, "precision", 10), (1, "output_dtype", 10)])
    def test_half_precision_is_refused(self, index: int, name: str, value: int) -> None:
        proto = activation_model(TensorProto.INT2, 0)
        proto.graph.node[index].attribute.append(helper.make_attribute(name, value))
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and name in caught.value.why

    def test_unknown_type(self) -> None:
        proto = activation_model(TensorProto.INT4, 0)
        proto.graph.node[0].attribute.append(helper.make_attribute("output_dtype", 999))
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103"


@pytest.mark.parametrize("kind", FOUR_BITS)
def test_whole_layer_on_integers(kind: int) -> None:
    """Activations and weights of 4 bits: an int8 layer, whose sums differ from real ones at ties only."""
    low, high = RANGES[kind]
    rng, zero = np.random.default_rng(0), (low + high + 1) // 2
    nodes = [
        node("QuantizeLinear", ["x", "sx", "z"], ["xq"]), node("DequantizeLinear", ["xq", "sx", "z"], ["xr"]),
        node("DequantizeLinear", ["w", "sw", "zw"], ["wr"], axis=0), node("Conv", ["xr", "wr", "b"], ["c"]),
        node("QuantizeLinear", ["c", "sy", "z"], ["yq"]), node("DequantizeLinear", ["yq", "sy", "z"], ["y"]),
    ]  # fmt: skip
    constants = {
        "sx": np.float32(0.1), "sw": rng.uniform(0.01, 0.05, 4).astype(np.float32), "sy": np.float32(0.11),
        "b": rng.normal(size=4).astype(np.float32) / 10,
    }  # fmt: skip
    w = rng.integers(low, high, (4, 3, 3, 3), endpoint=True)
    tensors = [packed("w", kind, w), packed("z", kind, np.full((), zero)), packed("zw", kind, np.full(4, zero))]
    proto = finish(nodes, kind, tensors, constants, floats("x", 1, 3, 9, 9), floats("y", 1, 4, 7, 7))
    graph, different = compiled(proto.SerializeToString()), 0
    assert [n.op.name for n in graph.nodes].count("conv2d") == 1
    assert all(t.dtype is DType.I8 for t in graph.activations())
    (source,), (result,) = graph.inputs, graph.outputs
    assert source.quant and result.quant
    for seed in range(5):
        x = np.random.default_rng(seed).uniform(-1, 1, (1, 3, 9, 9)).astype(np.float32)
        (wanted,) = run_onnxruntime(proto.SerializeToString(), {"x": x})
        found = evaluate(graph, {"x": source.quant.quantize(x)})["y"]
        assert found.min() >= low and found.max() <= high
        steps = np.abs(found.astype(int) - result.quant.quantize(wanted).astype(int))
        different += int((steps > 0).sum())
        assert steps.max() <= 1
    assert different <= 0.02 * 5 * result.size
