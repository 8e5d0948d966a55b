"""numerics=tflite: every operator gives the bytes of TensorFlow Lite Micro's reference kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from integer_case import every_value, random_stored, stored_tensor

from mcucompile.ir import Array, Clip, DType, Node, Numerics, Op, QuantParams, Tensor, constant
from mcucompile.ops import (
    Add,
    AveragePool,
    Concat,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    HardSwish,
    LeakyRelu,
    MatMul,
    Max,
    MaxPool,
    Min,
    Mul,
    Pad,
    Quantize,
    ReduceMean,
    Requantize,
    Resize,
    Sigmoid,
    Softmax,
    Sub,
    Tanh,
)
from mcucompile.ops.window import Window

pytest.importorskip("tflite_micro", reason="the oracle of --numerics tflite, the PyPI wheel tflite-micro, is missing")
from tflite_oracle import options, run_operator

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.I16], ids=["int8", "int16"])
SEEDS = pytest.mark.parametrize("seed", range(12))
ACTIVATIONS = [(0, Clip()), (1, Clip(0.0)), (3, Clip(0.0, 6.0))]  # TensorFlow Lite's code, ours
WINDOW_3X3 = Window((3, 3), (1, 1), (1, 1, 1, 1))


def compare(
    op: Op, code: str, given: Any, inputs: Sequence[Tensor], output: Tensor, theirs: Sequence[Tensor] | None = None,
    stored: Sequence[Array] | None = None,
) -> None:  # fmt: skip
    """Run both on random stored values; `theirs` are the inputs where TensorFlow Lite wants them otherwise."""
    node = Node(op, list(inputs), [output])
    node.op = op.fix(node, Numerics.TFLITE)
    values = list(stored or [random_stored(t, i) for i, t in enumerate(inputs)])
    computed = [v for v, t in zip(values, inputs, strict=True) if t.const is None]
    want = run_operator(code, theirs or inputs, [output], given, *computed)[0]
    assert np.array_equal(node.op.reference_int(node, *values)[0], want.reshape(output.shape))


class Draw:
    """Random scales and zero points; int16 has none of the latter."""

    def __init__(self, seed: int, dtype: DType) -> None:
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def scale(self, low: float = -3, high: float = 0) -> float:
        return float(10 ** self.rng.uniform(low, high)) / (256 if self.dtype is DType.I16 else 1)

    def zero(self) -> int:
        return 0 if self.dtype is DType.I16 else int(self.rng.integers(-128, 128))

    def tensor(self, name: str, shape: Sequence[int], scale: float | None = None) -> Tensor:
        return stored_tensor(name, shape, self.scale() if scale is None else scale, self.zero(), self.dtype)

    def like(self, name: str, shape: Sequence[int], other: Tensor, factor: tuple[float, float] | None = None) -> Tensor:
        """A tensor with the other's quantization, or one whose scale is `factor` times as large."""
        assert other.quant
        if factor is None:
            return Tensor(name, tuple(shape), other.dtype, other.quant)
        return self.tensor(name, shape, other.quant.scale * self.rng.uniform(*factor))


# --- operators with scales of their own


@DTYPES
@SEEDS
@pytest.mark.parametrize(("op", "code"), [(Add, "ADD"), (Sub, "SUB")])
def test_sums(op: Callable[..., Op], code: str, dtype: DType, seed: int) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    a = draw.tensor("a", (1, 8, 16, 8))
    b = draw.tensor("b", (1, 8, 16, 8) if seed % 2 else (1, 1, 1, 8))
    y = draw.like("y", (1, 8, 16, 8), max(a, b, key=lambda t: t.quant.scale if t.quant else 0), (0.5, 2.2))
    given = options(f"{code.title()}Options", fusedActivationFunction=activation, potScaleInt16=False)
    compare(op(clip=clip), code, given, [a, b], y)


@DTYPES
@SEEDS
def test_product(dtype: DType, seed: int) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    a, b = draw.tensor("a", (1, 8, 16, 8)), draw.tensor("b", (1, 8, 16, 8))
    assert a.quant and b.quant
    y = draw.tensor("y", (1, 8, 16, 8), a.quant.scale * b.quant.scale * draw.rng.uniform(20, 200) * dtype.high / 127)
    compare(Mul(clip=clip), "MUL", options("MulOptions", fusedActivationFunction=activation), [a, b], y)


@DTYPES
@pytest.mark.parametrize(("op", "code"), [(Max(), "MAXIMUM"), (Min(), "MINIMUM")])
def test_extremes(op: Op, code: str, dtype: DType) -> None:
    draw = Draw(0, dtype)
    a = draw.tensor("a", (4, 100))
    compare(op, code, options("MaximumMinimumOptions"), [a, draw.like("b", (4, 100), a)], draw.like("y", (4, 100), a))


FUNCTIONS: list[tuple[str, Callable[[float], Op], Any, tuple[float, int] | None]] = [
    ("LOGISTIC", lambda _: Sigmoid(), None, (1 / 256, -128)),
    ("TANH", lambda _: Tanh(), None, (1 / 128, 0)),
    ("HARD_SWISH", lambda _: HardSwish(), "HardSwishOptions", None),
    ("LEAKY_RELU", lambda alpha: LeakyRelu(alpha=alpha), "LeakyReluOptions", None),
    ("QUANTIZE", lambda _: Requantize(), "QuantizeOptions", None),
]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f[0])
def test_functions_of_every_int8(function: tuple[str, Any, str | None, tuple[float, int] | None], seed: int) -> None:
    code, op, kind, fixed = function
    draw = Draw(seed, DType.I8)
    alpha = float(np.float32(draw.rng.uniform(0, 1)))
    x = draw.tensor("x", (256,))
    y = stored_tensor("y", (256,), *fixed) if fixed else draw.like("y", (256,), x, (0.3, 1.5))
    given = options(kind, **({"alpha": alpha} if code == "LEAKY_RELU" else {})) if kind else None
    compare(op(alpha), code, given, [x], y, stored=[every_value(DType.I8)])


@pytest.mark.parametrize("seed", range(6))
def test_requantize_of_every_int16(seed: int) -> None:
    draw = Draw(seed, DType.I16)
    x = draw.tensor("x", (1 << 16,))
    y = draw.like("y", (1 << 16,), x, (0.3, 1.5))
    compare(Requantize(), "QUANTIZE", options("QuantizeOptions"), [x], y, stored=[every_value(DType.I16)])


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("wide_output", [False, True])
def test_softmax(seed: int, wide_output: bool) -> None:
    draw = Draw(seed, DType.I8)
    n = int(draw.rng.integers(2, 120))
    x = draw.tensor("x", (20, n), draw.scale(-4, 0.5))
    wide = stored_tensor("y", (20, n), 1 / 65536, -32768, DType.I16)
    y = wide if wide_output else stored_tensor("y", (20, n), 1 / 256, -128)
    compare(Softmax(), "SOFTMAX", options("SoftmaxOptions", beta=1.0), [x], y)


@pytest.mark.parametrize("scale", [2.0**-8, 0.999, 1.0, 8.1, 15.9, 16.0, 31.0, 1000.0])
def test_softmax_of_unusual_scales(scale: float) -> None:
    x, y = stored_tensor("x", (50, 9), scale, 9), stored_tensor("y", (50, 9), 1 / 256, -128)
    stored = np.clip(random_stored(x), 117, 127)
    compare(Softmax(), "SOFTMAX", options("SoftmaxOptions", beta=1.0), [x], y, stored=[stored])


def test_softmax_of_every_pair_of_differences() -> None:
    """Rows (0, -d, -e): all tables and all normalizations."""
    d = np.stack(np.meshgrid(np.arange(0, 256, 3), np.arange(0, 256, 5)), axis=-1).reshape(-1, 2)
    stored = (127 - np.concatenate([np.zeros((len(d), 1), int), d], axis=1)).astype(np.int8)
    x, y = stored_tensor("x", stored.shape, 0.07, 9), stored_tensor("y", stored.shape, 1 / 256, -128)
    compare(Softmax(), "SOFTMAX", options("SoftmaxOptions", beta=1.0), [x], y, stored=[stored])


MEANS = [
    ((1, 8, 7, 64), (1, 2), True),
    ((1, 8, 7, 64), (1, 2), False),
    ((1, 16, 64), (1,), True),
    ((4, 64, 9), (2,), True),
    ((2, 5, 6, 50), (1,), False),
]


@DTYPES
@pytest.mark.parametrize("rescales", [False, True])
@pytest.mark.parametrize(("shape", "axes", "keepdims"), MEANS)
@pytest.mark.parametrize("seed", range(3))
def test_mean(
    shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, rescales: bool, dtype: DType, seed: int
) -> None:
    draw, op = Draw(seed, dtype), ReduceMean(axes, keepdims)
    x = draw.tensor("x", shape)
    y = draw.like("y", op.infer(shape)[0], x, (0.1, 1.2) if rescales else None)
    theirs = [x, constant("axes", np.asarray(axes, np.int32))]
    compare(op, "MEAN", options("ReducerOptions", keepDims=keepdims), [x], y, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_quantize_ties_and_their_neighbours(seed: int) -> None:
    draw = Draw(seed, DType.I8)
    y = draw.tensor("y", (3000,))
    assert y.quant
    ties = ((draw.rng.integers(-300, 300, 1000) + 0.5) * y.quant.scale).astype(np.float32)
    near = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    values = np.concatenate([ties, *near])
    compare(Quantize(), "QUANTIZE", options("QuantizeOptions"), [Tensor("x", (3000,))], y, stored=[values])


# --- layers with weights


def weights(draw: Draw, channels: int, axis: int | None) -> QuantParams:
    count = channels if axis is not None else 1
    scales = tuple(float(np.float32(s)) for s in 10 ** draw.rng.uniform(-3, -2, count))
    return QuantParams(scales, 0, DType.I8, axis)


def layer(draw: Draw, x: Tensor, shape: tuple[int, ...], w: QuantParams) -> list[Tensor]:
    """x, random weights, and a bias of int32, or int64 for an int16 x."""
    assert x.quant
    dtype = DType.I64 if x.dtype is DType.I16 else DType.I32
    scales = tuple(float(np.float32(x.quant.scale * s)) for s in w.scales)
    channels = shape[w.axis] if w.axis is not None else shape[0]
    values = draw.rng.integers(-127, 128, shape).astype(np.int8)
    bias = draw.rng.integers(-5000, 5000, channels).astype(dtype.numpy)
    quant = QuantParams(scales, 0, dtype, 0 if len(scales) > 1 else None)
    return [x, constant("w", values, w), constant("b", bias, quant)]


def layer_output(draw: Draw, shape: tuple[int, ...], inputs: list[Tensor], taps: int) -> Tensor:
    """A scale at which the sums of random values fill the range."""
    x, w, _ = inputs
    assert x.quant and w.quant
    factor = 75 * np.sqrt(taps) * float(np.median(w.quant.scales)) * x.quant.scale
    return draw.tensor("y", shape, factor * draw.rng.uniform(0.5, 2))


@DTYPES
@SEEDS
def test_conv(dtype: DType, seed: int) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    channels, outputs = (int(n) for n in draw.rng.integers(1, 9, 2))
    inputs = layer(draw, draw.tensor("x", (1, 6, 7, channels)), (outputs, 3, 3, channels), weights(draw, outputs, 0))
    y = layer_output(draw, (1, 6, 7, outputs), inputs, 9 * channels)
    given = options(
        "Conv2DOptions", padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1,
        fusedActivationFunction=activation,
    )  # fmt: skip
    compare(Conv2d(WINDOW_3X3, clip=clip), "CONV_2D", given, inputs, y)


@DTYPES
@SEEDS
def test_depthwise_conv(dtype: DType, seed: int) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    channels, multiplier = (int(n) for n in draw.rng.integers(1, 4, 2))
    outputs = channels * multiplier
    w = weights(draw, outputs, 2)
    inputs = layer(draw, draw.tensor("x", (1, 6, 7, channels)), (3, 3, outputs), w)
    y = layer_output(draw, (1, 6, 7, outputs), inputs, 9)
    given = options(
        "DepthwiseConv2DOptions", padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1,
        fusedActivationFunction=activation, depthMultiplier=multiplier,
    )  # fmt: skip
    assert inputs[1].const is not None
    filters = constant("w", inputs[1].const[None], QuantParams(w.scales, 0, DType.I8, 3))
    compare(
        DepthwiseConv2d(WINDOW_3X3, clip=clip), "DEPTHWISE_CONV_2D", given, inputs, y, [inputs[0], filters, inputs[2]]
    )


@DTYPES
@SEEDS
@pytest.mark.parametrize("axis", [None, 0])
def test_fully_connected(axis: int | None, dtype: DType, seed: int) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    inputs = layer(draw, draw.tensor("x", (3, 40)), (10, 40), weights(draw, 10, axis))
    y = layer_output(draw, (3, 10), inputs, 40)
    given = options("FullyConnectedOptions", fusedActivationFunction=activation, keepNumDims=False, weightsFormat=0)
    compare(Dense(clip=clip), "FULLY_CONNECTED", given, inputs, y)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("axis", [None, 0])
def test_fully_connected_multiplier_to_the_last_bit(axis: int | None, seed: int) -> None:
    """Biases near 2**31 that lie close to where the result changes: float32(s_x * s_w) would round otherwise."""
    draw, count = Draw(seed, DType.I8), 500
    x = draw.tensor("x", (1, 1))
    quant = QuantParams(weights(draw, 1, None).scales * (count if axis == 0 else 1), 0, DType.I8, axis)
    assert x.quant
    step = x.quant.scale * quant.scales[0] * 2**24 * draw.rng.uniform(1, 2)
    y = stored_tensor("y", (1, count), step, 0)
    assert y.quant
    real = x.quant.scale * quant.scales[0] / y.quant.scale
    ties = (draw.rng.integers(-60, 60, count) + 0.5) / real + draw.rng.integers(-150, 150, count)
    w = constant("w", np.zeros((count, 1), np.int8), quant)
    scales = tuple(float(np.float32(x.quant.scale * s)) for s in quant.scales)
    b = constant("b", ties.astype(np.int32), QuantParams(scales, 0, DType.I32, axis))
    given = options("FullyConnectedOptions", fusedActivationFunction=0, keepNumDims=False, weightsFormat=0)
    compare(Dense(), "FULLY_CONNECTED", given, [x, w, b], y)


@DTYPES
@SEEDS
def test_batch_matmul(dtype: DType, seed: int) -> None:
    draw = Draw(seed, dtype)
    a, b = draw.tensor("a", (1, 2, 5, 6)), draw.tensor("b", (1, 2, 6, 7))
    assert a.quant and b.quant
    y = draw.tensor("y", (1, 2, 5, 7), a.quant.scale * b.quant.scale * 200 * dtype.high / 127)
    given = options("BatchMatMulOptions", adjX=False, adjY=False, asymmetricQuantizeInputs=False)
    compare(MatMul(), "BATCH_MATMUL", given, [a, b], y)


# --- operators that keep the scale


def same_padding(kernel: tuple[int, int], strides: tuple[int, int], size: tuple[int, int]) -> Window:
    total = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(size, strides, kernel, strict=True)]
    top, left = total[0] // 2, total[1] // 2
    return Window(kernel, strides, (top, left, total[0] - top, total[1] - left))


@DTYPES
@SEEDS
@pytest.mark.parametrize(("op", "code"), [(AveragePool, "AVERAGE_POOL_2D"), (MaxPool, "MAX_POOL_2D")])
@pytest.mark.parametrize(("kernel", "strides"), [((3, 3), (2, 2)), ((2, 2), (2, 2)), ((3, 5), (1, 2))])
def test_pools(
    op: Callable[..., Op], code: str, kernel: tuple[int, int], strides: tuple[int, int], dtype: DType, seed: int
) -> None:
    draw, (activation, clip) = Draw(seed, dtype), ACTIVATIONS[seed % 3]
    is_same = seed % 2
    window = same_padding(kernel, strides, (8, 7)) if is_same else Window(kernel, strides)
    x = draw.tensor("x", (1, 8, 7, 6))
    y = draw.like("y", op(window).infer(x.shape)[0], x)
    given = options(
        "Pool2DOptions", padding=0 if is_same else 1, strideW=strides[1], strideH=strides[0], filterWidth=kernel[1],
        filterHeight=kernel[0], fusedActivationFunction=activation,
    )  # fmt: skip
    compare(op(window, clip=clip), code, given, [x], y)


@DTYPES
def test_movement(dtype: DType) -> None:
    draw = Draw(3, dtype)
    x = draw.tensor("x", (1, 6, 7, 3))
    pad = Pad((0, 1, 0, 1), (0, 2, 3, 0))
    pads = constant("pads", np.asarray([[0, 0], [1, 2], [0, 3], [1, 0]], np.int32))
    compare(pad, "PAD", options("PadOptions"), [x], draw.like("y", pad.infer(x.shape)[0], x), [x, pads])
    given = options("ConcatenationOptions", axis=3, fusedActivationFunction=0)
    compare(Concat(3), "CONCATENATION", given, [x, draw.like("z", x.shape, x)], draw.like("y", (1, 6, 7, 6), x))
    given = options("ResizeNearestNeighborOptions", alignCorners=False, halfPixelCenters=False)
    size = constant("size", np.asarray([12, 21], np.int32))
    compare(Resize((2, 3)), "RESIZE_NEAREST_NEIGHBOR", given, [x], draw.like("y", (1, 12, 21, 3), x), [x, size])
