"""Nodes whose results nobody reads go; all others stay."""

from __future__ import annotations

from mcucompile.ir import Clip, Graph, Node, Tensor, verify
from mcucompile.ops import Clamp, Split
from mcucompile.passes.remove_unread import RemoveUnread


def graph_with(output: str) -> Graph:
    """x is split into a and b, b is clamped to c; one of them is the output."""
    t = {name: Tensor(name, (1, 4 if name == "x" else 2)) for name in "xabc"}
    nodes = [Node(Split(1, (2, 2)), [t["x"]], [t["a"], t["b"]]), Node(Clamp(Clip(0.0)), [t["b"]], [t["c"]])]
    return Graph("net", [t["x"]], [t[output]], nodes)


def test_an_unread_node_goes() -> None:
    g = graph_with("b")
    assert RemoveUnread().run(g) == 1
    assert [n.op.name for n in g.nodes] == ["split"]
    verify(g)


def test_a_node_with_one_read_result_stays() -> None:
    g = graph_with("a")
    RemoveUnread().run(g)
    assert [n.op.name for n in g.nodes] == ["split"]


def test_nothing_goes_when_everything_is_read() -> None:
    g = graph_with("c")
    assert RemoveUnread().run(g) == 0
