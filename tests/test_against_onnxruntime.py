"""Every integer layer of real networks against ONNX Runtime, each fed with ONNX Runtime's own stored inputs.

Whole networks differ from ONNX Runtime in a few bytes. Three facts about every element of every layer explain them all,
the exact real value being what the model file says, from the same stored inputs, in float64:

1. our stored value is the exact value rounded, give or take 2**-12 of a step: `--numerics onnx`, to the letter;
2. ONNX Runtime's real value is the exact one up to the rounding of float32 arithmetic, within the bound of its sums;
3. where the stored values differ, they are neighbours, and the exact value is half-way between them up to 2**-12 of a
   step plus what float32 cost ONNX Runtime at that element: a tie, or as good as one.

So a difference starts at a tie, and grows only because the layers behind it read another input.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime_layers import MOVES, Layer, Oracle, layers

from mcucompile.ir import Array, Graph, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.options import Options
from mcucompile.pipeline import prepare

MODELS = Path(__file__).parent / "models"
DATA = Path(os.environ.get("MCUCOMPILE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SAMPLES = 3

RANDOM = [
    "mlperf_kws_dscnn_int8", "mlperf_vww_mbv1_025_int8", "mlperf_ic_resnet8_int8", "mlperf_ad_autoenc_int8",
    "mlperf_strww_int8", "tflm_hello_world_int8", "tflm_person_detect_int8", "tflm_micro_speech_int8",
]  # fmt: skip
REAL: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "mlperf_kws_dscnn_int8": ("kws01_test", lambda x: x),
    "mlperf_vww_mbv1_025_int8": ("vww_coco256_test", lambda x: x.astype(int) - 128),
    "mlperf_ic_resnet8_int8": ("ic01_test", lambda x: x.astype(int) - 128),
    "mlperf_strww_int8": ("strww45_test", lambda x: np.clip(np.rint(x / 0.0037010426) - 128, -128, 127)),
}


def integer_graph(path: Path) -> Graph:
    # With the channels that are removed later: the oracle has them, and removing them changes no bit.
    return prepare(path, "net", Options(), None).twin


def check_network(path: Path, samples: Array) -> None:
    graph, oracle = integer_graph(path), Oracle(path.read_bytes())
    for stored in samples:
        found = list(layers(graph, oracle, stored.reshape(graph.inputs[0].shape)))
        assert len(found) == sum(not isinstance(n.op, MOVES) for n in graph.nodes)
        for layer in found:
            layer.check()


def random_samples(path: Path, count: int = SAMPLES) -> Array:
    (x,) = integer_graph(path).inputs
    return np.random.default_rng(0).integers(-128, 128, (count, *x.shape)).astype(np.int8)


def real_samples(name: str, count: int = SAMPLES) -> Array:
    file, stored = REAL[name]
    path = DATA / f"{file}.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: set MCUCOMPILE_DATA to the folder of the labelled data")
    with np.load(path) as data:
        return stored(data["x"][:: len(data["x"]) // count][:count]).astype(np.int8)


def pool_model(scale: float, zero: int) -> bytes:
    """Means of four values on the scale of their input: every fourth is a tie."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["xr"]),
        helper.make_node("AveragePool", ["xr"], ["yr"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("QuantizeLinear", ["yr", "s", "z"], ["y"]),
    ]
    for node in nodes:
        node.name = node.name or node.op_type
    constants: dict[str, Array] = {"s": np.asarray(scale, np.float32), "z": np.asarray(zero, np.int8)}
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.INT8, [1, 3, size, size])
        for name, size in (("x", 32), ("y", 16))
    )
    graph = helper.make_graph(nodes, "pool", [x], [y], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


@pytest.mark.parametrize("zero", [0, -3])
def test_ties_go_up_here_and_to_even_there(zero: int) -> None:
    """At a scale that float32 divides by exactly, a tie differs where the lower neighbour is even, and nothing else."""
    data = pool_model(0.5, zero)
    graph = prepare(data, "net", Options(), None).graph
    stored = np.random.default_rng(0).integers(-128, 128, graph.inputs[0].shape).astype(np.int8)
    (layer,) = layers(graph, Oracle(data), stored)
    layer.check()
    below = np.floor(layer.exact).astype(int) - zero
    ties = layer.exact - zero == below + 0.5
    assert ties.sum() > 100
    assert np.array_equal(layer.ours - layer.theirs, ties & (below % 2 == 0))


@pytest.mark.parametrize(
    ("ours", "theirs", "exact", "theirs_real", "message"),
    [
        (4, 3, 3.5, 3.5, None),
        (3, 4, 3.4999, 3.5001, None),
        (127, 127, 140.0, 140.0, None),
        (4, 3, 3.49, 3.49, "not the rounded real value"),
        (4, 4, 3.6, 3.61, "not the value of the model file"),
        (4, 2, 3.5, 3.5, "no neighbours"),
        (4, 3, 3.51, 3.51, "off a tie"),
    ],
)
def test_each_fact_can_fail(ours: int, theirs: int, exact: float, theirs_real: float, message: str | None) -> None:
    layer = Layer("layer", *(np.asarray([v]) for v in (ours, theirs, exact, theirs_real, 2.0**-8)))
    if message is None:
        layer.check()
    else:
        with pytest.raises(AssertionError, match=message):
            layer.check()


def one_wrong_weight(conv: Conv2d, weight: Array, bias: Array) -> Conv2d:
    weight[:, 1, 1, 0] -= np.where(weight[:, 1, 1, 0] > 0, 1, -1).astype(np.int8)
    return conv


def rounded_down(conv: Conv2d, weight: Array, bias: Array) -> Conv2d:
    """Half a step of the output less in every sum."""
    assert conv.requant
    bias -= np.rint(2.0 ** (np.asarray(conv.requant.shifts) - 1.0) / conv.requant.multipliers).astype(np.int32)
    return conv


def short_multipliers(conv: Conv2d, weight: Array, bias: Array) -> Conv2d:
    """Eight bits of them."""
    assert conv.requant
    short = tuple(m >> 23 << 23 for m in conv.requant.multipliers)
    return replace(conv, requant=replace(conv.requant, multipliers=short))


@pytest.mark.parametrize("damage", [one_wrong_weight, rounded_down, short_multipliers])
def test_a_wrong_layer_is_found(damage: Callable[[Conv2d, Array, Array], Conv2d]) -> None:
    """That one, and no other."""
    path = MODELS / "classifier_qdq_int8.onnx"
    graph, oracle = integer_graph(path), Oracle(path.read_bytes())
    node = next(n for n in graph.nodes if isinstance(n.op, Conv2d))
    weight, bias = (constant(t.name, real.copy(), t.quant) for t in node.inputs[1:] if (real := t.const) is not None)
    assert isinstance(node.op, Conv2d) and weight.const is not None and bias.const is not None
    node.op, node.inputs[1:] = damage(node.op, weight.const, bias.const), [weight, bias]
    (stored,) = random_samples(path, 1)
    first, *others = layers(graph, oracle, stored)
    with pytest.raises(AssertionError, match=r"stem.*not the rounded real value"):
        first.check()
    for layer in others:
        layer.check()


def test_committed_network() -> None:
    path = MODELS / "classifier_qdq_int8.onnx"
    check_network(path, random_samples(path, 30))


@pytest.mark.parametrize("name", RANDOM)
def test_random_input(name: str, shared_model: Callable[[str], Path]) -> None:
    path = shared_model(name)
    check_network(path, random_samples(path))


@pytest.mark.parametrize("name", REAL)
def test_real_input(name: str, shared_model: Callable[[str], Path]) -> None:
    check_network(shared_model(name), real_samples(name))
