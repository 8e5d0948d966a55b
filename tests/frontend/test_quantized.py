"""Models with QuantizeLinear and DequantizeLinear: what their integers mean, and what the integer network computes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx_models import assert_same_as_onnxruntime, compiled, floats, model, node, random_inputs, run_onnxruntime

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType, Graph, QuantParams
from mcucompile.reference import evaluate

MODELS = Path(__file__).parents[1] / "models"
Array = npt.NDArray[Any]
I8, U8, I16 = TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16


def quantize(x: str, y: str, of: str = "") -> NodeProto:
    return node("QuantizeLinear", [x, f"s{of or y}", f"z{of or y}"], [y])


def dequantize(x: str, y: str, of: str = "", **attributes: int) -> NodeProto:
    return node("DequantizeLinear", [x, f"s{of or x}", f"z{of or x}"], [y], **attributes)


def params(name: str, scale: float | list[float], zero: int, dtype: npt.DTypeLike = np.int8) -> dict[str, Array]:
    scales = np.asarray(scale, np.float32)
    return {f"s{name}": scales, f"z{name}": np.full(scales.shape, zero, dtype)}


def conv_model(dtype: npt.DTypeLike, zero: int, weights: dict[str, Array]) -> ModelProto:
    """x (stored) -> Conv -> Relu -> y (stored), with a float bias; `weights` has w, sw, zw."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        dequantize("x", "xr"),
        dequantize("w", "wr", axis=0),
        node("Conv", ["xr", "wr", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        quantize("r", "y"),
    ]
    constants = weights | {"b": np.asarray([0.5, -0.25, 0.125, 0], np.float32)}
    constants |= params("x", 0.02, zero, dtype) | params("y", 0.05, zero, dtype)
    shapes = [("x", kind, [1, 3, 5, 4])], [("y", kind, [1, 4, 5, 4])]
    return model(nodes, *shapes, opset=21, constants=constants, ir_version=10)


def weights(dtype: npt.DTypeLike, zero: list[int] | int, scale: list[float] | float = 0.01) -> dict[str, Array]:
    info = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(info.min, info.max, (4, 3, 3, 3), endpoint=True).astype(dtype)
    return {"w": values, "sw": np.asarray(scale, np.float32), "zw": np.asarray(zero, dtype)}


def difference(proto: ModelProto, seeds: int = 4) -> tuple[Graph, float, int]:
    """The integer graph, its share of equal values, and its largest difference in steps, against ONNX Runtime."""
    data = proto.SerializeToString()
    graph = compiled(data)
    equal, total, worst = 0, 0, 0
    for seed in range(seeds):
        inputs = random_inputs(graph, seed)
        wanted = run_onnxruntime(data, inputs)
        for found, theirs in zip(evaluate(graph, inputs).values(), wanted, strict=True):
            assert found.dtype == theirs.dtype
            steps = np.abs(found.astype(np.int64) - theirs.astype(np.int64))
            equal, total, worst = equal + int((steps == 0).sum()), total + steps.size, max(worst, int(steps.max()))
    return graph, equal / total, worst


CONV = [
    pytest.param(np.int8, 3, weights(np.int8, [0] * 4, [0.01, 0.02, 0.005, 0.01]), id="int8 per channel"),
    pytest.param(np.int8, -128, weights(np.int8, 0), id="int8 per tensor"),
    pytest.param(np.int8, 0, weights(np.int8, 7), id="int8 asymmetric weights"),
    pytest.param(np.uint8, 120, weights(np.uint8, 128), id="uint8 symmetric weights"),
    pytest.param(np.uint8, 0, weights(np.uint8, 100), id="uint8 asymmetric weights"),
    pytest.param(np.uint8, 255, weights(np.uint8, [128, 3, 255, 90], [0.01] * 4), id="zero point per channel"),
    pytest.param(np.int16, 0, weights(np.int8, [0] * 4, [0.01] * 4), id="int16 activations"),
]


@pytest.mark.parametrize(("dtype", "zero", "kernel"), CONV)
def test_convolution_is_integer_and_differs_at_ties_only(
    dtype: npt.DTypeLike, zero: int, kernel: dict[str, Array]
) -> None:
    """Sums are exact on both sides; only a sum half-way between two steps may round differently."""
    graph, equal, worst = difference(conv_model(dtype, zero, kernel))
    assert worst <= 1 and equal > 0.98
    names = [n.op.name for n in graph.nodes]
    assert names.count("conv2d") == 1 and not {"quantize", "dequantize", "clamp"} & set(names)


def test_asymmetric_weights_keep_every_bit() -> None:
    """w - zero reaches from -255 to 255, which int8 does not hold."""
    kernel = weights(np.uint8, 100)
    graph = compiled(conv_model(np.uint8, 0, kernel).SerializeToString())
    stored = next(t for t in graph.constants() if len(t.shape) == 4)
    assert stored.dtype is DType.I16 and stored.const is not None
    np.testing.assert_array_equal(stored.const, (kernel["w"].astype(int) - 100).transpose(0, 2, 3, 1))


def test_zero_point_in_the_middle_of_uint8_gives_int8() -> None:
    graph = compiled(conv_model(np.uint8, 0, weights(np.uint8, 128)).SerializeToString())
    assert next(t for t in graph.constants() if len(t.shape) == 4).dtype is DType.I8


def test_uint8_stays_outside_only() -> None:
    graph = compiled(conv_model(np.uint8, 130, weights(np.uint8, 128)).SerializeToString())
    assert [t.dtype for t in (*graph.inputs, *graph.outputs)] == [DType.U8, DType.U8]
    assert graph.inputs[0].quant == QuantParams.per_tensor(0.02, 130, DType.U8)
    inner = graph.nodes[0].output
    assert inner.quant == QuantParams.per_tensor(0.02, 2)
    assert [n.op.name for n in graph.nodes].count("requantize") == 2


@pytest.mark.parametrize("name", ["classifier_qdq_int8", "classifier_qdq_uint8"])
def test_network_of_the_onnxruntime_quantizer(name: str) -> None:
    """Float outside; nothing but integers inside."""
    data = (MODELS / f"{name}.onnx").read_bytes()
    graph = compiled(data)
    (x,), (y,) = graph.inputs, graph.outputs
    assert x.quant and y.quant and (x.name, y.name) == ("image", "scores")
    assert all(t.dtype is DType.I8 for t in graph.activations())
    rng = np.random.default_rng(0)
    for _ in range(5):
        real = rng.uniform(-1, 1, x.shape).astype(np.float32)
        (wanted,) = run_onnxruntime(data, {"image": real})
        found = evaluate(graph, {"image": x.quant.quantize(real)})["scores"]
        assert np.abs(found.astype(int) - y.quant.quantize(wanted).astype(int)).max() <= 1


def test_before_absorption_it_is_the_file_exactly() -> None:
    for name in ("classifier_qdq_int8", "classifier_qdq_uint8"):
        assert_same_as_onnxruntime(onnx.load(MODELS / f"{name}.onnx"), rtol=0, atol=1e-6)


class TestIntegersMovedFirst:
    """Exporters move a stored tensor before they say what it means."""

    def moved(self, *nodes: NodeProto, shape: list[int], kind: int = I8, out: list[int] | None = None) -> ModelProto:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        constants = params("x", 0.1, 3, dtype) | {"shape": np.asarray([6, 4])} | {"swap": np.asarray([4, 2, 3])}
        constants |= params("other", 0.2, 3, dtype)
        return model(nodes, [("x", kind, shape)], [floats("y", *(out or shape))], 21, constants, 10)

    @pytest.mark.parametrize("kind", [I8, U8, I16])
    def test_input_gets_its_meaning_from_the_end_of_the_chain(self, kind: int) -> None:
        nodes = [
            node("Reshape", ["x", "shape"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[1, 0]),
            node("Reshape", ["b", "swap"], ["c"]),
            dequantize("c", "y", of="x"),
        ]
        graph = assert_same_as_onnxruntime(self.moved(*nodes, shape=[2, 3, 4], kind=kind, out=[4, 2, 3]))
        quant = graph.inputs[0].quant
        assert quant and (quant.scale, quant.zero) == (float(np.float32(0.1)), 3)

    def test_two_meanings_of_one_tensor(self) -> None:
        nodes = [dequantize("x", "a", of="x"), dequantize("x", "b", of="other"), node("Add", ["a", "b"], ["y"])]
        with pytest.raises(CompileError) as caught:
            load(self.moved(*nodes, shape=[2]).SerializeToString())
        assert caught.value.code == "E0103" and "otherwise" in caught.value.why

    @pytest.mark.parametrize("reshape_at", [0, 1])
    def test_two_meanings_at_the_ends_of_a_chain(self, reshape_at: int) -> None:
        """Whichever end is read first."""
        nodes = [dequantize("x", "a")]
        nodes.insert(reshape_at, node("Reshape", ["x", "shape"], ["b"]))
        nodes += [dequantize("b", "c", of="other"), node("MatMul", ["a", "c"], ["y"])]
        with pytest.raises(CompileError) as caught:
            load(self.moved(*nodes, shape=[4, 6], out=[4, 4]).SerializeToString())
        assert caught.value.code == "E0103"

    def test_integers_without_a_meaning(self) -> None:
        proto = model([node("Reshape", ["x", "s"], ["y"])], [("x", I8, [2, 3])], [("y", I8, [6])], 21,
                      {"s": np.asarray([6])}, 10)  # fmt: skip
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and "scale and zero point" in caught.value.why

    def test_arithmetic_on_stored_integers(self) -> None:
        proto = self.moved(node("Add", ["x", "x"], ["a"]), dequantize("a", "y", of="x"), shape=[2])
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103"

    @pytest.mark.parametrize("kind", [I8, U8])
    def test_cast_means_scale_one(self, kind: int) -> None:
        nodes = [node("Cast", ["x"], ["a"], to=TensorProto.FLOAT), node("Mul", ["a", "sx"], ["y"])]
        assert_same_as_onnxruntime(self.moved(*nodes, shape=[2, 3], kind=kind))


class TestParameters:
    """Scales and zero points as files have them."""

    def relu(self, **constants: Array) -> ModelProto:
        given = params("x", 0.1, 0) | constants
        nodes = [node("QuantizeLinear", ["x", "sx", "zx"], ["q"]), node("DequantizeLinear", ["q", "sx", "zx"], ["y"])]
        return model(nodes, [floats("x", 2, 3)], [floats("y", 2, 3)], 21, given, 10)

    @pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan])
    def test_scale_out_of_range(self, scale: float) -> None:
        with pytest.raises(CompileError) as caught:
            load(self.relu(sx=np.asarray(scale, np.float32)).SerializeToString())
        assert caught.value.code == "E0204" and "QuantizeLinear" in caught.value.where

    def test_activation_per_channel_is_listed(self) -> None:
        three = {"sx": np.ones(3, np.float32), "zx": np.zeros(3, np.int8)}
        with pytest.raises(CompileError) as caught:
            load(self.relu(**three).SerializeToString())
        assert caught.value.code == "E0103" and "per tensor" in caught.value.why

    def test_half_precision_scale_is_listed(self) -> None:
        with pytest.raises(CompileError) as caught:
            load(self.relu(sx=np.asarray(0.5, np.float16)).SerializeToString())
        assert caught.value.code == "E0103"

    def test_absent_zero_point_of_a_quantizer_means_uint8(self) -> None:
        nodes = [node("QuantizeLinear", ["x", "s"], ["q"]), node("DequantizeLinear", ["q", "s"], ["y"])]
        proto = model(nodes, [floats("x", 2, 3)], [floats("y", 2, 3)], 13, {"s": np.asarray(0.01, np.float32)})
        graph = assert_same_as_onnxruntime(proto)
        assert graph.nodes[0].output.quant == QuantParams.per_tensor(0.01, -128)

    def test_blocked_quantization_is_listed(self) -> None:
        constants = {"w": np.ones((4, 2), np.int8), "s": np.ones((2, 2), np.float32)}
        nodes = [node("DequantizeLinear", ["w", "s"], ["wr"], axis=0, block_size=2), node("MatMul", ["x", "wr"], ["y"])]
        with pytest.raises(CompileError) as caught:
            load(model(nodes, [floats("x", 1, 4)], [floats("y", 1, 2)], 21, constants, 10).SerializeToString())
        assert caught.value.code == "E0103" and "locked" in caught.value.why

    def test_four_bit_weights(self) -> None:
        w = helper.make_tensor("w", TensorProto.INT4, [4, 2], [-8, 7, 3, -1, 0, 1, 2, 5])
        nodes = [node("DequantizeLinear", ["w", "s"], ["wr"]), node("MatMul", ["x", "wr"], ["y"])]
        proto = model(nodes, [floats("x", 1, 4)], [floats("y", 1, 2)], 21, {"s": np.asarray(0.5, np.float32)}, 10)
        proto.graph.initializer.append(w)
        assert_same_as_onnxruntime(proto)

    def test_sixteen_bits_in_the_domain_of_onnxruntime(self) -> None:
        """Below opset 21 its quantizer writes int16 with operators of its own domain."""
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"], domain="com.microsoft"),
            helper.make_node("DequantizeLinear", ["q", "sx", "zx"], ["y"], domain="com.microsoft"),
        ]
        proto = model(nodes, [floats("x", 2, 3)], [floats("y", 2, 3)], 17, params("x", 1e-4, -5, np.int16))
        graph = assert_same_as_onnxruntime(proto)
        assert graph.nodes[0].output.dtype is DType.I16
