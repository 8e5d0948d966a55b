"""The float networks of the test-suite, one function each. `make.py` lists them, checks them and writes them."""

import numpy as np
from graph_builder import GraphBuilder
from onnx import ModelProto

IR_VERSION = 8


def classifier() -> ModelProto:
    """What people ship: conv, depthwise-separable block, residual add, pooling, dense, softmax; batch norm unfolded."""
    g = GraphBuilder("classifier", seed=1)
    x = _conv_bn_relu(g, "image", "stem", [8, 3, 3, 3], pads=[0, 0, 1, 1], strides=[2, 2])
    x = _conv_bn_relu(g, x, "depthwise", [8, 1, 3, 3], group=8, auto_pad="SAME_UPPER")
    x = _conv_bn_relu(g, x, "pointwise", [12, 8, 1, 1])
    shortcut = g.add("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    weights = [g.weights("residual.weight", 12, 12, 3, 3, low=-12, high=12), g.weights("residual.bias", 12)]
    x = g.add("Conv", [shortcut, *weights], "residual.conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = g.add("Add", [shortcut, x], "residual.sum")
    x = g.add("Relu", [x], "residual.relu")
    x = g.add("GlobalAveragePool", [x], "average")
    x = g.add("Flatten", [x], "features", axis=1)
    dense = [g.weights("dense.weight", 10, 12), g.weights("dense.bias", 10)]
    x = g.add("Gemm", [x, *dense], "logits", transB=1)
    g.add("Softmax", [x], "scores", axis=1)
    return g.model({"image": [1, 3, 16, 16]}, {"scores": [1, 10]}, opset=17, ir_version=IR_VERSION)


def _conv_bn_relu(g: GraphBuilder, x: str, name: str, weight: list[int], **attributes: object) -> str:
    kernel = g.weights(f"{name}.weight", *weight)
    x = g.add("Conv", [x, kernel], f"{name}.conv", kernel_shape=weight[2:], **attributes)
    x = g.batch_normalization(x, f"{name}.bn", weight[0])
    return g.add("Relu", [x], f"{name}.relu")


def multi_io() -> ModelProto:
    """Three inputs, four outputs; `total` is an output that the network also goes on with, `swapped` leaves as NHWC."""
    g = GraphBuilder("multi_io", seed=2)
    g.add("Add", ["a", "b"], "total")
    g.add("Mul", ["total", g.weights("gain", 1, 4, 1, 1)], "scaled")
    g.add("Mul", ["scaled", "c"], "gated")
    g.add("Concat", ["gated", "b", "scaled"], "joined", axis=1)
    g.add_many("Split", ["joined", g.ints("parts", [2, 7, 3])], ["first", "middle", "last"], axis=1)
    _resize_and_slice(g)
    _pad_and_transpose(g)
    inputs = {"a": [1, 4, 6, 5], "b": [1, 4, 6, 5], "c": [1, 4, 1, 1]}
    outputs = {"total": [1, 4, 6, 5], "cut": [1, 2, 6, 5], "resized": [1, 3, 9, 10], "swapped": [1, 9, 8, 7]}
    return g.model(inputs, outputs, opset=17, ir_version=IR_VERSION)


def _resize_and_slice(g: GraphBuilder) -> None:
    g.add(
        "Resize",
        ["first", "", g.floats("double", [1, 1, 2, 2])],
        "nearest",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    bounds = [g.ints("starts", [1, -1]), g.ints("ends", [12, -100]), g.ints("axes", [2, 3]), g.ints("steps", [2, -2])]
    g.add("Slice", ["nearest", *bounds], "cut")
    sizes = g.ints("sizes", [1, 3, 9, 10])
    g.add("Resize", ["last", "", "", sizes], "resized", mode="linear", coordinate_transformation_mode="half_pixel")


def _pad_and_transpose(g: GraphBuilder) -> None:
    border = g.ints("border", [0, 0, 1, 0, 0, 0, 2, 1])
    g.add("Pad", ["middle", border, g.floats("fill", np.array(0.5))], "filled", mode="constant")
    g.add("Pad", ["filled", g.ints("margin", [0, 0, 0, 1, 0, 0, 0, 1])], "mirrored", mode="reflect")
    g.add("Transpose", ["mirrored"], "channels_last", perm=[0, 2, 3, 1])
    g.add("Mul", ["channels_last", g.weights("channel_gain", 7)], "weighted")
    g.add("Transpose", ["weighted"], "columns_first", perm=[0, 2, 1, 3])
    g.add("Transpose", ["columns_first"], "swapped", perm=[0, 2, 1, 3])


def conv1d_shapes() -> ModelProto:
    """1-D convolutions (causal and dilated, strided and grouped), every constant a Constant node, and shape arithmetic.

    The two Reshapes compute their target as exporters of opset 11 did: Shape -> Gather -> Unsqueeze -> Concat.
    """
    g = GraphBuilder("conv1d_shapes", seed=3, constant_nodes=True)
    weights = [g.weights("causal.weight", 8, 6, 3), g.weights("causal.bias", 8)]
    x = g.add("Conv", ["signal", *weights], "causal", kernel_shape=[3], dilations=[2], pads=[4, 0])
    x = g.add("Relu", [x], "causal.relu")
    x = g.add("Conv", [x, g.weights("grouped.weight", 8, 4, 4)], "grouped", group=2, strides=[2], pads=[1, 1])
    x = g.add("Relu", [x], "grouped.relu")
    x = g.add("Transpose", [x], "steps_first", perm=[0, 2, 1])
    x = g.add("MatMul", [x, g.weights("project.weight", 8, 4)], "project")
    x = g.add("Add", [g.weights("project.bias", 4), x], "project.sum")
    x = _flatten_by_shape(g, x, "flat")
    x = g.add("MatMul", [x, g.weights("dense.weight", 48, 5, low=-16, high=16)], "dense")
    x = g.add("Add", [x, g.weights("dense.bias", 5)], "logits")
    g.add("Softmax", [x], "scores")  # opset 11: axis 1, everything after it flattened
    return g.model({"signal": [1, 6, 24]}, {"scores": [1, 5]}, opset=11, ir_version=6)


def _flatten_by_shape(g: GraphBuilder, x: str, output: str) -> str:
    """[batch, steps, channels] -> [batch, steps * channels], with the batch read from the tensor's own shape."""
    shape = g.add("Shape", [x], f"{output}.shape")
    batch = g.add("Gather", [shape, g.ints(f"{output}.zero", 0)], f"{output}.batch", axis=0)
    batch = g.add("Unsqueeze", [batch], f"{output}.batch_1d", axes=[0])
    target = g.add("Concat", [batch, g.ints(f"{output}.rest", [-1])], f"{output}.target", axis=0)
    return g.add("Reshape", [x, target], output)


def opset7() -> ModelProto:
    """IR version 3: initializers are graph inputs too. Attributes where later opsets have inputs."""
    g = GraphBuilder("opset7", seed=4)
    x = g.add("Pad", ["image"], "padded", mode="constant", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.25)
    x = g.add("Conv", [x, g.weights("conv.weight", 6, 2, 3, 3, low=-160, high=160)], "conv", kernel_shape=[3, 3])
    x = g.batch_normalization(x, "bn", 6, epsilon=1e-3, momentum=0.99)
    x = g.add("Clip", [x], "relu6", min=0.0, max=6.0)
    x = g.add("Dropout", [x], "dropout", ratio=0.5)
    x = g.add("Slice", [x], "inner", axes=[2, 3], starts=[1, 0], ends=[9, -1])
    x = g.add("Upsample", [x], "enlarged", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    x = g.add("AveragePool", [x], "pooled", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = g.add("GlobalAveragePool", [x], "average")
    x = g.add("Squeeze", [x], "features", axes=[2, 3])
    dense = [g.weights("dense.weight", 6, 4), g.weights("dense.bias", 4)]
    x = g.add("Gemm", [x, *dense], "logits", alpha=0.5, beta=2.0)
    g.add("Softmax", [x], "scores")
    return g.model({"image": [1, 2, 8, 8]}, {"scores": [1, 4]}, opset=7, ir_version=3)


def opset9() -> ModelProto:
    """Between the worlds: Slice still has attributes, Upsample has its scales as input, Dropout has an unused mask."""
    g = GraphBuilder("opset9", seed=5)
    x = g.add("Conv", ["image", g.weights("conv.weight", 4, 3, 3, 3)], "conv", pads=[1, 1, 1, 1], strides=[2, 2])
    x = g.batch_normalization(x, "bn", 4)
    x = g.add("Relu", [x], "relu")
    x, _ = g.add_many("Dropout", [x], ["dropout", "dropout.mask"], ratio=0.25)
    x = g.add("Upsample", [x, g.floats("scales", [1, 1, 2, 3])], "enlarged", mode="nearest")
    x = g.add("Slice", [x], "inner", starts=[0, 2, -7], ends=[3, 2147483647, -1], axes=[1, 2, 3])
    x = g.add("ReduceMean", [x], "rows", axes=[3], keepdims=0)
    x = g.add("Unsqueeze", [x], "columns", axes=[3])
    x = g.add("Flatten", [x], "features")
    g.add("Gemm", [x, g.weights("dense.weight", 18, 3), g.weights("dense.bias", 1)], "scores")
    return g.model({"image": [1, 3, 8, 6]}, {"scores": [1, 3]}, opset=9, ir_version=4)


def activations() -> ModelProto:
    """One output per operator, each fed by `x` alone (or `x` and `y`), so that a wrong one is named by its output."""
    g = GraphBuilder("activations", seed=6)
    full = [1, 4, 7, 6]
    outputs = _unary_outputs(g, full) | _binary_outputs(g, full) | _pooling_outputs(g)
    return g.model({"x": full, "y": full}, outputs, opset=17, ir_version=IR_VERSION)


def _unary_outputs(g: GraphBuilder, full: list[int]) -> dict[str, list[int]]:
    low, high = g.floats("low", np.array(-2.5)), g.floats("high", np.array(3.75))
    g.add("Mul", ["x", g.floats("six", np.array(6.0))], "wide")  # from -1..1 to where the curves are flat
    names = [
        g.add("LeakyRelu", ["wide"], "leaky_relu", alpha=0.125),
        g.add("PRelu", ["wide", g.weights("slope", 4, 1, 1, low=1, high=32)], "prelu"),
        g.add("HardSigmoid", ["wide"], "hard_sigmoid", alpha=1 / 6, beta=0.5),
        g.add("HardSwish", ["wide"], "hard_swish"),
        g.add("Sigmoid", ["wide"], "sigmoid"),
        g.add("Tanh", ["wide"], "tanh"),
        g.add("Softmax", ["wide"], "softmax_channels", axis=1),
        g.add("LogSoftmax", ["wide"], "log_softmax", axis=-1),
        g.add("Clip", ["wide", low, high], "clip"),
        g.add("Clip", ["wide", "", high], "clip_above"),
    ]
    return dict.fromkeys(names, full)


def _binary_outputs(g: GraphBuilder, full: list[int]) -> dict[str, list[int]]:
    g.add("Sigmoid", ["y"], "positive")
    names = [
        g.add("Sub", ["x", "y"], "sub"),
        g.add("Sub", [g.floats("one", np.array(1.0)), "x"], "sub_from_one"),
        g.add("Div", ["x", g.weights("divisor", 1, 4, 1, 1, low=32, high=128)], "div"),
        g.add("Div", ["x", "positive"], "div_by_sigmoid"),
        g.add("Min", ["x", "y"], "minimum"),
        g.add("Max", ["x", "y", g.weights("floor", 6)], "maximum_of_three"),
    ]
    return dict.fromkeys(names, full)


def _pooling_outputs(g: GraphBuilder) -> dict[str, list[int]]:
    window = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
    g.add("ReduceMean", ["x"], "mean_rows_columns", axes=[2, 3], keepdims=0)
    g.add("ReduceMean", ["x"], "mean_channels", axes=[1])
    g.add("GlobalMaxPool", ["x"], "global_max")
    g.add("AveragePool", ["x"], "average_inside", count_include_pad=0, **window)
    g.add("AveragePool", ["x"], "average_with_pad", count_include_pad=1, **window)
    return {
        "mean_rows_columns": [1, 4],
        "mean_channels": [1, 1, 7, 6],
        "global_max": [1, 4, 1, 1],
        "average_inside": [1, 4, 4, 3],
        "average_with_pad": [1, 4, 4, 3],
    }
