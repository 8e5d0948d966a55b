"""Short names of ONNX nodes: what says most stays, and no two layers have the same one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.node_names import nodes_of

# As tf2onnx writes them for a network that TensorFlow Lite quantized.
FOLDED = (
    "m/activation/Relu;m/batch_normalization/FusedBatchNormV3;m/conv2d/BiasAdd/ReadVariableOp/resource;m/conv2d/BiasAdd;"
    "m/conv2d_1/Conv2D;m/conv2d/Conv2D1_prequant",
    "m/activation_1/Relu;m/depthwise_conv2d/depthwise;m/depthwise_conv2d/BiasAdd;m/conv2d_1/Conv2D;"
    "m/depthwise_conv2d/BiasAdd/ReadVariableOp/resource1_prequant",
    "m/activation_2/Relu;m/conv2d_1/BiasAdd/ReadVariableOp/resource;m/conv2d_1/BiasAdd;m/conv2d_1/Conv2D1_prequant",
    "m/activation_3/Relu;m/add/add_prequant",
)


def named(*sources: tuple[str, ...]) -> list[str]:
    nodes = nodes_of(sources)
    return [nodes.text(source) for source in sources]


def test_layers_that_were_folded_are_called_by_their_own() -> None:
    sources = [(name, f"Relu__{5 + 3 * i}") for i, name in enumerate(FOLDED)]
    assert named(*sources) == ["conv2d + Relu", "depthwise_conv2d + Relu", "conv2d_1 + Relu", "add + Relu"]
    sources = [("m/dense/BiasAdd_prequant", "Add__33"), ("m/pool/AvgPool_prequant",), ("Identity_prequant",)]
    assert named(*sources) == ["dense/BiasAdd + Add", "pool/AvgPool", "Identity"]


def test_what_alone_tells_nodes_apart_stays() -> None:
    assert named(("Conv__58",), ("Conv__59",)) == ["Conv__58", "Conv__59"]
    assert named(("a", "Relu__5"), ("a", "Relu__6")) == ["a + Relu__5", "a + Relu__6"]
    twins = [("m/x/BiasAdd;m/conv/Conv2D",), ("m/y/BiasAdd;m/conv/Conv2D1",)]
    assert len(set(named(*twins))) == 2


def test_the_folder_of_most_is_left_out() -> None:
    sources = [("net/a/Conv", "net/a/Relu"), ("net/b/Conv",), ("net/c/Conv",), ("Gemm_7",)]
    assert named(*sources) == ["a: Conv + Relu", "b/Conv", "c/Conv", "Gemm_7"]


PARTS = st.lists(st.sampled_from(["m", "conv2d", "Conv2D", "Conv2D1", "BiasAdd", "ReadVariableOp", "a__1"]), min_size=1)
NAMES = st.builds(
    lambda paths, end: ";".join(map("/".join, paths)) + end, st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "_prequant", "__7"]),
)  # fmt: skip


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=6))
def test_every_layer_has_a_name(sources: list[tuple[str, ...]]) -> None:
    assert all(named(*sources))


@pytest.mark.parametrize("odd", ["", "/", ";", "a;", ";;/", "_prequant", "__1", "/ReadVariableOp", "a\nb"])
def test_odd_names_are_no_trouble(odd: str) -> None:
    assert len(named((odd,), ("b", odd))) == 2


def test_nodes_of_a_real_network_have_names_of_their_own(shared_model: Callable[[str], Path]) -> None:
    model = onnx.load(shared_model("mlperf_kws_dscnn_int8"))
    sources = [(n.name,) for n in model.graph.node if n.op_type in ("Conv", "Relu", "MatMul", "AveragePool", "Softmax")]
    names = named(*sources)
    assert len(set(names)) == len(sources) > 20
    assert max(map(len, names)) <= 25
