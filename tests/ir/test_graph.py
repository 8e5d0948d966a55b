"""The invariants that `verify` checks, each broken once."""

from __future__ import annotations

import numpy as np
import pytest

from mcucompile.errors import CompileError
from mcucompile.ir import (
    Clip,
    DType,
    Graph,
    Node,
    QuantParams,
    Tensor,
    constant,
    graph_text,
    identifier,
    permute_constant,
    reshape_constant,
    unique_identifier,
    verify,
)
from mcucompile.ops import Clamp, Dense, Split


def relu_chain() -> Graph:
    x, y, z = (Tensor(name, (1, 4)) for name in "xyz")
    relu = Clamp(Clip(0.0))
    return Graph("net", [x], [z], [Node(relu, [x], [y], ("first",)), Node(relu, [y], [z], ("second",))])


def test_a_sound_graph_passes() -> None:
    verify(relu_chain())


def test_order() -> None:
    g = relu_chain()
    g.nodes.reverse()
    with pytest.raises(AssertionError, match="before it is computed"):
        verify(g)


def test_shape() -> None:
    g = relu_chain()
    g.nodes[1].outputs[0].shape = (1, 5)
    with pytest.raises(AssertionError, match="operator says"):
        verify(g)


def test_computed_twice() -> None:
    g = relu_chain()
    g.nodes.append(g.nodes[1])
    with pytest.raises(AssertionError, match="twice"):
        verify(g)


def test_output_without_producer() -> None:
    g = relu_chain()
    g.outputs.append(Tensor("stray", (1,)))
    with pytest.raises(AssertionError, match="never computed"):
        verify(g)


@pytest.mark.parametrize("name", ["x", "not an identifier"])
def test_names(name: str) -> None:
    g = relu_chain()
    g.nodes[0].outputs[0].name = name
    with pytest.raises(AssertionError, match=name):
        verify(g)


def test_quantization_matches_the_type() -> None:
    g = relu_chain()
    g.nodes[0].outputs[0].quant = QuantParams.per_tensor(1.0)
    with pytest.raises(AssertionError, match="quantization"):
        verify(g)


def dense(bias: int) -> Graph:
    x = Tensor("x", (1, 2), DType.I8, QuantParams.per_tensor(1.0))
    y = Tensor("y", (1, 1), DType.I8, QuantParams.per_tensor(1.0))
    w = constant("w", np.ones((1, 2), np.int8), QuantParams((1.0,), 0, DType.I8, 0))
    b = constant("b", np.asarray([bias], np.int32))
    return Graph("net", [x], [y], [Node(Dense(), [x, w, b], [y], ("fc",))])


def test_sums_that_just_fit() -> None:
    verify(dense((1 << 31) - 1 - 256))


def test_sums_that_overflow() -> None:
    with pytest.raises(CompileError) as e:
        verify(dense((1 << 31) - 1 - 255))
    assert e.value.code == "E0203"
    assert "fc" in e.value.where


def test_unread_nodes_go_but_half_read_ones_stay() -> None:
    g = relu_chain()
    a, b, c = Tensor("a", (1, 1)), Tensor("b", (1, 3)), Tensor("c", (1, 3))
    g.nodes.append(Node(Split(1, (1, 3)), g.outputs[:1], [a, b]))
    g.nodes.append(Node(Clamp(Clip(0.0)), [b], [c]))
    g.outputs = [a]
    assert g.remove_unread() == 1
    assert [n.op.name for n in g.nodes] == ["clamp", "clamp", "split"]


def test_text_shows_what_matters() -> None:
    text = graph_text(dense(5))
    assert "input %x: int8[1x2] (1, 0)" in text
    assert "%y: int8[1x1] (1, 0) = dense(%x, %w, %b)" in text
    assert text != graph_text(dense(6)), "constants count"


@pytest.mark.parametrize(("name", "expected"), [("a/b:0", "a_b_0"), ("1st", "t_1st"), ("", "t"), ("ok", "ok")])
def test_identifiers(name: str, expected: str) -> None:
    assert identifier(name) == expected


def test_unique_identifiers() -> None:
    assert unique_identifier("a", {"a", "a_1"}) == "a_2"


def test_layouts_of_constants_keep_the_channel_axis() -> None:
    w = constant("w", np.arange(24, dtype=np.int8).reshape(2, 3, 4), QuantParams((1.0, 2.0, 4.0), 0, DType.I8, 1))
    moved = permute_constant(w, (1, 2, 0))
    assert moved.shape == (3, 4, 2)
    assert moved.quant is not None
    assert moved.quant.axis == 0
    assert moved.const is not None
    assert moved.quant.dequantize(moved.const)[2, 1, 1] == 4.0 * w.const[1, 2, 1]  # type: ignore[index]
    flat = reshape_constant(w, (2, 3, 2, 2))
    assert flat.quant is not None
    assert flat.quant.axis == 1
