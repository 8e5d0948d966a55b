"""Names follow from the network, not from its history."""

from sketch import Q, Sketch, assert_exact

from mcucompile.ops.add import Add
from mcucompile.ops.dense import Dense
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.passes.name_tensors import NameTensors


def test_constants_copies_and_provisional_names() -> None:
    s = Sketch()
    x = s.add(Reshape((2, 3)), s.input(6), name="some_inner_4_stored")
    y = s.add(Dense(), x, s.constant(5, 3, name="a_7"), s.constant(5, name="b"), name="layer_inner_2")
    graph = s.done(s.add(Add(), y, s.constant(1, 5, name="c"), name="out_inner"))
    assert_exact(graph, NameTensors())
    assert [t.name for t in graph.activations()] == ["x", "x_reshaped", "layer_dense", "out_inner"]
    names = ["layer_dense_weight", "layer_dense_bias", "out_inner_constant"]
    assert [t.name for t in graph.constants()] == names


def test_names_stay_unique() -> None:
    s = Sketch()
    x = s.input(6)
    a, b = s.add(Reshape((2, 3)), x, name="p"), s.add(Reshape((3, 2)), x, name="q")
    taken = s.add(Sigmoid(), a, name="x_reshaped")
    graph = s.done(taken, s.add(Sigmoid(), b))
    NameTensors().run(graph)
    assert [t.name for t in graph.activations()][1:4] == ["x_reshaped_1", "x_reshaped_2", "x_reshaped"]


def test_outputs_keep_their_names() -> None:
    s = Sketch()
    graph = s.done(s.dequantize(s.add(Reshape((2, 3)), s.input(6, quant=Q))))
    before = graph.outputs[0].name
    NameTensors().run(graph)
    assert graph.outputs[0].name == before
