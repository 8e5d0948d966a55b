"""Networks that arrive compressed: weights and activations of few bits, as QONNX, QCDQ and int4 files have them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from graph_builder import GraphBuilder
from onnx import ModelProto, TensorProto, helper

QONNX = "qonnx.custom_op.general"
IMAGE = [1, 3, 12, 12]


class CompressedBuilder(GraphBuilder):
    """A builder that knows quantizers."""

    def quant(self, x: str, output: str, scale: Any, bits: int, signed: int = 1, narrow: int = 0) -> str:
        """QONNX's Quant, zero point 0."""
        inputs = [x, self.floats(f"{output}.scale", np.asarray(scale)), self.floats(f"{output}.zero", np.array(0.0))]
        inputs.append(self.floats(f"{output}.bits", np.array(float(bits))))
        attributes = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND"}
        return self.add("Quant", inputs, output, domain=QONNX, **attributes)

    def bipolar(self, x: str, output: str, scale: Any) -> str:
        return self.add("BipolarQuant", [x, self.floats(f"{output}.scale", np.asarray(scale))], output, domain=QONNX)

    def quantized_weights(self, name: str, bits: int, *shape: int) -> str:
        """A Quant over float weights, or a BipolarQuant for one bit, with a scale per output channel."""
        scale = self.rng.randint(24, 48, size=(shape[0], *[1] * (len(shape) - 1))) / (64 if bits <= 2 else 16 << bits)
        weights = self.weights(f"{name}.float", *shape)
        if bits == 1:
            return self.bipolar(weights, name, scale)
        return self.quant(weights, name, scale, bits, narrow=1)

    def qcdq(self, x: str, output: str, scale: Any, low: int, high: int, dtype: npt.DTypeLike, axis: int = 1) -> str:
        """QuantizeLinear, Clip, DequantizeLinear, as Brevitas exports quantizers."""
        scales = np.asarray(scale, np.float32)
        zero = self.constant(f"{output}.zero", np.zeros(scales.shape), dtype)
        inputs = [self.floats(f"{output}.scale", scales), zero]
        limits = [self.constant(f"{output}.{end}", np.array(v), dtype) for end, v in (("low", low), ("high", high))]
        q = self.add("QuantizeLinear", [x, *inputs], f"{output}.q", axis=axis)
        c = self.add("Clip", [q, *limits], f"{output}.c")
        return self.add("DequantizeLinear", [c, *inputs], output, axis=axis)


def qonnx_w4a4() -> ModelProto:
    """4-bit weights per channel, unsigned 4-bit activations; batch normalization, depthwise, residual sum, pooling."""
    g = CompressedBuilder("qonnx_w4a4", seed=11)
    x = g.quant("image", "image.quant", 1 / 128, 8)
    x = _block(g, x, "stem", 4, [8, 3, 3, 3], 0.06, pads=[1, 1, 1, 1], strides=[2, 2])
    shortcut = x
    x = _block(g, x, "depthwise", 4, [8, 1, 3, 3], 0.05, pads=[1, 1, 1, 1], group=8)
    x = g.add("Conv", [x, g.quantized_weights("pointwise.weight", 4, 8, 8, 1, 1)], "pointwise.conv")
    x = g.batch_normalization(x, "pointwise.bn", 8)
    x = g.quant(x, "pointwise.quant", 0.07, 4)
    x = g.add("Add", [x, shortcut], "sum")
    x = g.add("Relu", [x], "sum.relu")
    x = g.quant(x, "sum.quant", 0.09, 4, signed=0)
    x = g.add("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = g.add("Flatten", [x], "features")
    x = g.add(
        "Gemm", [x, g.quantized_weights("dense.weight", 4, 10, 72), g.weights("dense.bias", 10)], "logits", transB=1
    )
    g.quant(x, "scores", 0.03, 8)
    return _with_qonnx(g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=15, ir_version=8))


def qonnx_w2a4() -> ModelProto:
    """Ternary weights, constants in nodes; a fully connected layer at the end whose result is not quantized."""
    g = CompressedBuilder("qonnx_w2a4", seed=12, constant_nodes=True)
    x = g.quant("image", "image.quant", 1 / 128, 8, narrow=1)
    x = _block(g, x, "first", 2, [8, 3, 3, 3], 0.4, strides=[2, 2])
    x = _block(g, x, "second", 2, [16, 8, 3, 3], 0.9, pads=[1, 1, 1, 1])
    x = g.add("AveragePool", [x], "pool", kernel_shape=[5, 5])
    x = g.quant(x, "pool.quant", 0.5, 4, signed=0)
    x = g.add("Flatten", [x], "features")
    g.add("MatMul", [x, g.quant(g.weights("dense.float", 16, 10), "dense.weight", 0.25, 2, narrow=1)], "scores")
    return _with_qonnx(g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=15, ir_version=8))


def qonnx_binary() -> ModelProto:
    """Binary weights; the activations of the first layer have 2 bits, those of the second are binary too."""
    g = CompressedBuilder("qonnx_binary", seed=13)
    x = g.quant("image", "image.quant", 1 / 128, 8, narrow=1)
    x = _block(g, x, "first", 1, [10, 3, 3, 3], 1.7, bits_out=2, strides=[2, 2])
    x = g.add("Conv", [x, g.quantized_weights("second.weight", 1, 10, 10, 3, 3)], "second.conv", pads=[1, 1, 1, 1])
    x = g.batch_normalization(x, "second.bn", 10)
    x = g.bipolar(x, "second.sign", np.array(0.5))
    x = g.add("Conv", [x, g.quantized_weights("third.weight", 1, 10, 10, 3, 3)], "third.conv")
    x = g.batch_normalization(x, "third.bn", 10)
    x = g.bipolar(x, "third.sign", np.array(1.0))
    x = g.add("Flatten", [x], "features")
    x = g.add("Gemm", [x, g.quantized_weights("dense.weight", 1, 10, 90)], "logits", transB=1)
    g.quant(x, "scores", 0.9137, 8)
    return _with_qonnx(g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=15, ir_version=8))


def qonnx_trunc() -> ModelProto:
    """Sums over windows whose low bits are dropped, as quantized average pools are exported."""
    g = CompressedBuilder("qonnx_trunc", seed=17)
    x = g.quant("image", "image.quant", 1 / 128, 8)
    x = _block(g, x, "stem", 4, [8, 3, 3, 3], 0.06, strides=[2, 2])
    x = g.add("AveragePool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2])
    x = g.add("Mul", [x, g.floats("pool.size", np.array(9.0))], "pool.sum")
    parameters = {"scale": 0.06, "zero": 0.0, "bits.in": 8.0, "bits.out": 4.0}
    inputs = [g.floats(f"trunc.{name}", np.array(value)) for name, value in parameters.items()]
    x = g.add("Trunc", [x, *inputs], "trunc", domain=QONNX, rounding_mode="FLOOR")
    x = g.add("Flatten", [x], "features")
    x = g.add("Gemm", [x, g.quantized_weights("dense.weight", 4, 10, 32)], "logits", transB=1)
    g.quant(x, "scores", 0.0137, 8)
    return _with_qonnx(g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=15, ir_version=8))


def classifier_qcdq() -> ModelProto:
    """Brevitas' QCDQ: 3-bit weights from floats and from integers, 4-bit activations signed and unsigned."""
    g = CompressedBuilder("classifier_qcdq", seed=14)
    x = g.qcdq("image", "image.dq", 0.00973, -127, 127, np.int8)
    w = g.qcdq(g.weights("stem.float", 8, 3, 3, 3), "stem.weight", g.rng.randint(8, 16, 8) / 64, -3, 3, np.int8, axis=0)
    x = g.add("Conv", [x, w, g.weights("stem.bias", 8)], "stem.conv", pads=[1, 1, 1, 1], strides=[2, 2])
    x = g.add("Relu", [x], "stem.relu")
    x = g.qcdq(x, "stem.dq", 0.1137, 0, 15, np.uint8)
    integers = g.constant("second.integers", g.rng.randint(-3, 4, size=(12, 8, 3, 3)), np.int8)
    scales = [g.floats("second.scale", g.rng.randint(8, 16, 12) / 64), g.constant("second.zero", np.zeros(12), np.int8)]
    w = g.add("DequantizeLinear", [integers, *scales], "second.weight", axis=0)
    x = g.add("Conv", [x, w], "second.conv")
    x = g.qcdq(x, "second.dq", 0.8171, -7, 7, np.int8)
    x = g.add("Flatten", [x], "features")
    w = g.qcdq(g.weights("dense.float", 192, 10), "dense.weight", 0.1511, -3, 3, np.int8)
    x = g.add("MatMul", [x, w], "logits")
    g.qcdq(x, "scores", 0.4133, -128, 127, np.int8)
    return g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=15, ir_version=8)


def classifier_int4() -> ModelProto:
    """Opset 21: packed int4 and uint4 weights, activations of 8 bits and of 4."""
    g = CompressedBuilder("classifier_int4", seed=15)
    x = _stored(g, "image", "image", 0.00837, 0, TensorProto.INT8)
    w = _packed(g, "stem.weight", TensorProto.INT4, [8, 3, 3, 3], g.rng.randint(4, 9, 8) / 128)
    x = g.add("Conv", [x, w, g.weights("stem.bias", 8)], "stem.conv", strides=[2, 2])
    x = g.add("Relu", [x], "stem.relu")
    x = _stored(g, x, "stem", 0.0917, 0, TensorProto.UINT4)
    w = _packed(g, "second.weight", TensorProto.UINT4, [9, 8, 3, 3], 0.0625, zero=8)
    x = g.add("Conv", [x, w], "second.conv", pads=[1, 1, 1, 1])
    x = _stored(g, x, "second", 0.7193, -1, TensorProto.INT4)
    x = g.add("Flatten", [x], "features")
    w = _packed(g, "dense.weight", TensorProto.INT4, [225, 10], g.rng.randint(4, 9, 10) / 128, axis=1)
    x = g.add("MatMul", [x, w], "logits")
    _stored(g, x, "scores", 0.8137, 5, TensorProto.INT8, output="scores")
    return g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=21, ir_version=10)


def weights_int4() -> ModelProto:
    """Only the weights are stored, with 4 bits; activations are real: to be quantized with calibration data."""
    g = CompressedBuilder("weights_int4", seed=16)
    w = _packed(g, "stem.weight", TensorProto.INT4, [8, 3, 3, 3], g.rng.randint(4, 9, 8) / 128)
    x = g.add("Conv", ["image", w], "stem.conv", strides=[2, 2])
    x = g.batch_normalization(x, "stem.bn", 8)
    x = g.add("Relu", [x], "stem.relu")
    x = g.add("Flatten", [x], "features")
    w = _packed(g, "dense.weight", TensorProto.INT4, [200, 10], 0.0625)
    g.add("MatMul", [x, w], "scores")
    return g.model({"image": IMAGE}, {"scores": [1, 10]}, opset=21, ir_version=10)


def _block(
    g: CompressedBuilder, x: str, name: str, bits: int, weight: list[int], scale: float, bits_out: int = 4, **conv: Any
) -> str:
    """Convolution, batch normalization, Relu, unsigned activations."""
    x = g.add("Conv", [x, g.quantized_weights(f"{name}.weight", bits, *weight)], f"{name}.conv", **conv)
    x = g.batch_normalization(x, f"{name}.bn", weight[0])
    x = g.add("Relu", [x], f"{name}.relu")
    return g.quant(x, f"{name}.quant", scale, bits_out, signed=0)


def _packed(
    g: CompressedBuilder, name: str, kind: int, shape: list[int], scale: Any, zero: int = 0, axis: int = 0
) -> str:
    """A DequantizeLinear over random 4-bit integers."""
    low = -8 if kind == TensorProto.INT4 else 0
    integers = g.rng.randint(low, low + 16, size=shape)
    scales = np.asarray(scale, np.float32)
    g.initializers.append(helper.make_tensor(f"{name}.integers", kind, shape, integers.ravel().tolist()))
    zeros = np.full(scales.shape, zero)
    g.initializers.append(helper.make_tensor(f"{name}.zero", kind, zeros.shape, zeros.ravel().tolist()))
    inputs = [f"{name}.integers", g.floats(f"{name}.scale", scales), f"{name}.zero"]
    return g.add("DequantizeLinear", inputs, name, axis=axis)


def _stored(
    g: CompressedBuilder, x: str, name: str, scale: float, zero: int, kind: int, output: str | None = None
) -> str:
    g.initializers.append(helper.make_tensor(f"{name}.zero", kind, [], [zero]))
    parameters = [g.floats(f"{name}.scale", np.array(scale)), f"{name}.zero"]
    q = g.add("QuantizeLinear", [x, *parameters], f"{name}.q")
    return g.add("DequantizeLinear", [q, *parameters], output or f"{name}.dq")


def _with_qonnx(model: ModelProto) -> ModelProto:
    model.opset_import.append(helper.make_opsetid(QONNX, 1))
    return model
