"""Quantizers of fewer than 8 bits as Brevitas writes them: QuantizeLinear, Clip of the integers, DequantizeLinear."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto
from onnx_models import Array, assert_same_as_onnxruntime, compiled, floats, model, node, run_onnxruntime

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType
from mcucompile.ops.clamp import Clamp
from mcucompile.reference import evaluate, trace


def qcdq(x: str, y: str, low: bool = True, high: bool = True, axis: int | None = None) -> list[NodeProto]:
    attributes = {} if axis is None else {"axis": axis}
    bounds = [f"{y}.low" if low else "", f"{y}.high" if high else ""]
    return [
        node("QuantizeLinear", [x, f"{y}.scale", f"{y}.zero"], [f"{y}.q"], **attributes),
        node("Clip", [f"{y}.q", *bounds], [f"{y}.c"]),
        node("DequantizeLinear", [f"{y}.c", f"{y}.scale", f"{y}.zero"], [y], **attributes),
    ]


def params(
    y: str, scale: npt.ArrayLike, low: int, high: int, zero: int = 0, dtype: npt.DTypeLike = np.int8
) -> dict[str, Array]:
    scales = np.asarray(scale, np.float32)
    return {
        f"{y}.scale": scales, f"{y}.zero": np.full(scales.shape, zero, dtype),
        f"{y}.low": np.asarray(low, dtype), f"{y}.high": np.asarray(high, dtype),
    }  # fmt: skip


def activation(bounds: tuple[int, int], zero: int = 0, dtype: npt.DTypeLike = np.int8, **ends: bool) -> ModelProto:
    constants = params("y", 0.1, *bounds, zero, dtype)
    return model(qcdq("x", "y", **ends), [floats("x", 6, 40)], [floats("y", 6, 40)], 13, constants)


class TestActivations:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(1, 8), st.booleans(), st.booleans(), st.sampled_from([0, 1, 5]))
    def test_same_as_onnxruntime(self, bits: int, signed: bool, narrow: bool, zero: int) -> None:
        low, high = (narrow - (1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1 - narrow)
        dtype = np.int8 if signed else np.uint8
        proto = activation((min(low, high), high), zero, dtype)
        graph = assert_same_as_onnxruntime(proto, rtol=0, atol=1e-7)
        x = np.linspace(-30, 30, 240, dtype=np.float32).reshape(6, 40)
        stored = [v for t, v in trace(graph, {"x": x}).items() if t.dtype is DType.I8][-1].astype(int)
        assert (stored.min(), stored.max()) == tuple(v - (0 if signed else 128) for v in (min(low, high), high))

    @pytest.mark.parametrize("ends", [{"low": False}, {"high": False}, {"low": False, "high": False}])
    @pytest.mark.parametrize("dtype", [np.int8, np.uint8])
    def test_absent_limits(self, ends: dict[str, bool], dtype: npt.DTypeLike) -> None:
        assert_same_as_onnxruntime(activation((2, 9), 1, dtype, **ends), rtol=0, atol=1e-7)

    def test_limits_fuse_into_the_layer(self) -> None:
        nodes = [
            *qcdq("x", "xr"), *qcdq("w", "wr", axis=0), node("Conv", ["xr", "wr", "b"], ["c"]),
            node("Relu", ["c"], ["r"]), *qcdq("r", "y"),
        ]  # fmt: skip
        rng = np.random.default_rng(0)
        constants = {
            **params("xr", 0.05, -7, 7), **params("wr", [0.01, 0.02, 0.03, 0.05], -7, 7),
            **params("y", 0.08, 0, 15, 0, np.uint8),
            "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32) / 10, "b": rng.normal(size=4).astype(np.float32) / 10,
        }  # fmt: skip
        proto = model(nodes, [floats("x", 1, 3, 9, 9)], [floats("y", 1, 4, 7, 7)], 13, constants)
        data = proto.SerializeToString()
        graph = compiled(data)
        layer = next(n for n in graph.nodes if n.op.name == "conv2d")
        weight = layer.inputs[1]
        assert sum(isinstance(n.op, Clamp) for n in graph.nodes) == 1, "only the input keeps its own"
        assert weight.const is not None and weight.quant is not None
        scales = np.float32([0.01, 0.02, 0.03, 0.05]).reshape(4, 1, 1, 1)
        wanted = np.clip(np.rint(constants["w"] / scales), -7, 7) * scales
        np.testing.assert_array_equal(weight.quant.dequantize(weight.const), wanted.transpose(0, 2, 3, 1))
        (source,), (result,), different = graph.inputs, graph.outputs, 0
        assert source.quant and result.quant
        for seed in range(5):
            x = np.random.default_rng(seed).uniform(-1, 1, (1, 3, 9, 9)).astype(np.float32)
            (wanted,) = run_onnxruntime(data, {"x": x})
            found = evaluate(graph, {"x": source.quant.quantize(x)})["y"]
            steps = np.abs(found.astype(int) - result.quant.quantize(wanted).astype(int))
            assert steps.max() <= 1 and (found.min(), found.max()) <= (-128, -113)
            different += int((steps > 0).sum())
        assert different <= 0.02 * 5 * result.size

    def test_limits_before_the_meaning_are_listed(self) -> None:
        nodes = [node("Clip", ["x", "low", "high"], ["c"]), node("DequantizeLinear", ["c", "s"], ["y"])]
        constants = {"low": np.int8(-7), "high": np.int8(7), "s": np.float32(0.5)}
        proto = model(nodes, [("x", TensorProto.INT8, [4])], [floats("y", 4)], 13, constants)
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and "c/Clip" in caught.value.why

    def test_limits_that_are_computed_are_listed(self) -> None:
        proto = activation((-7, 7))
        nodes = list(proto.graph.node)
        nodes[1].input[2] = "y.q"
        with pytest.raises(CompileError) as caught:
            load(proto.SerializeToString())
        assert caught.value.code == "E0103" and "not constant" in caught.value.why


class TestWeights:
    """Folded to the integers, which stay in their range."""

    @pytest.mark.parametrize("axis", [None, 0])
    @pytest.mark.parametrize("bits", [2, 3, 4, 8])
    @pytest.mark.parametrize("dtype", [np.int8, np.uint8])
    def test_float_weights(self, axis: int | None, bits: int, dtype: npt.DTypeLike) -> None:
        low, high = (1 - (1 << bits - 1), (1 << bits - 1) - 1) if dtype is np.int8 else (0, (1 << bits) - 1)
        zero = 0 if dtype is np.int8 else 1 << bits - 1
        scale = [0.1, 0.2, 0.05, 0.3] if axis == 0 else 0.1
        nodes = [*qcdq("w", "wr", axis=axis), node("Conv", ["x", "wr"], ["y"])]
        w = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
        constants = {"w": w, **params("wr", scale, low, high, zero, dtype)}
        proto = model(nodes, [floats("x", 1, 3, 5, 5)], [floats("y", 1, 4, 3, 3)], 13, constants)
        graph = assert_same_as_onnxruntime(proto)
        weight = next(t for t in graph.constants() if len(t.shape) == 4)
        assert weight.dtype is DType.I8 and weight.quant is not None and weight.const is not None
        centred = weight.const.astype(int) - weight.quant.zero
        assert low - zero <= centred.min() < 0 < centred.max() <= high - zero

    def test_integer_weights(self) -> None:
        """An int8 initializer, clipped and dequantized."""
        nodes = [
            node("Clip", ["w", "wr.low", "wr.high"], ["c"]),
            node("DequantizeLinear", ["c", "wr.scale", "wr.zero"], ["wr"]), node("MatMul", ["x", "wr"], ["y"]),
        ]  # fmt: skip
        w = np.random.default_rng(0).integers(-20, 20, (6, 5)).astype(np.int8)
        constants = {"w": w, **params("wr", 0.25, -7, 7)}
        graph = assert_same_as_onnxruntime(model(nodes, [floats("x", 2, 6)], [floats("y", 2, 5)], 13, constants))
        weight = next(t for t in graph.constants() if t.size == 30)
        np.testing.assert_array_equal(weight.const, np.clip(w, -7, 7).T)

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8])
    def test_limits_shared_with_activations(self, dtype: npt.DTypeLike) -> None:
        """Exporters keep equal constants once."""
        zero = 0 if dtype is np.int8 else 9
        nodes = [*qcdq("x", "xr"), *qcdq("w", "wr"), node("MatMul", ["xr", "wr"], ["y"])]
        for n in nodes:
            n.input[:] = [name.replace("wr.", "xr.") for name in n.input]
        nodes[4].input[0] = "wr.q"
        nodes[5].input[0] = "wr.c"
        w = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
        constants = {"w": w, **params("xr", 0.25, 2, 7, zero, dtype)}
        assert_same_as_onnxruntime(model(nodes, [floats("x", 2, 6)], [floats("y", 2, 5)], 13, constants))
